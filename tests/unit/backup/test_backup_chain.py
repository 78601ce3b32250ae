"""Chains: each backup stands on exactly the parent that it was made on, and says what it needs."""

from pathlib import Path
from typing import Any

import pytest

from backup import layout
from backup.catalog import Catalog
from backup.chain import ChainError, chain_of, needed_keys
from backup.codec import Sealed
from backup.documents import publish
from backup.manifest import Artefact, Manifest
from opsctl.core.canonical import sha256_hex
from opsctl.core.signing import Namespace, Signer, Verifier, allowed_signers_line, create_key
from opsctl.core.store.directory import DirectoryStore
from tests.unit.backup.binlogs import manifest

STACK = "acme"


class Backups:
    """A repository in which backups are described, with a signer of its own."""

    def __init__(self, directory: Path) -> None:
        create_key(directory / "key", "host")
        (directory / "allowed").write_text(allowed_signers_line("host", directory / "key.pub"))
        self.signer = Signer(directory / "key")
        self.store = DirectoryStore(directory / "repository")
        self.catalog = Catalog(self.store, STACK, Verifier(directory / "allowed"))
        self.sha256: dict[str, str] = {}

    def add(self, backup_id: str, parent: str | None = None, **changes: Any) -> None:
        """Publish a backup; on a parent, it is an incremental one that names it rightly."""
        described: Manifest = manifest("bin.000001", 400, "0-7-5", minute=1)
        idle = described.database.model_copy(update={"from_lsn": "1"})
        named = {"parent": parent, "parent_sha256": self.sha256[parent]} if parent else {}
        kind = "incremental" if parent else "full"
        key = layout.backup(STACK, backup_id) + "db.mbstream.zst.age"
        sealed = Sealed(plain_size=1, plain_sha256="", cipher_size=1, cipher_sha256="")
        database = Artefact(name="db", kind="database", key=key, sealed=sealed, recipients=())
        update = {
            "id": backup_id,
            "stack": STACK,
            "kind": kind,
            "artefacts": (database,),
            "database": idle,
            **named,
            **changes,
        }
        document = described.model_copy(update=update)
        data = publish(self.store, self.signer, Namespace.MANIFEST, layout.manifest(STACK, backup_id), document)
        self.sha256[backup_id] = sha256_hex(data)

    def remove(self, backup_id: str) -> None:
        self.store.delete(layout.manifest(STACK, backup_id))

    def chain(self, backup_id: str) -> list[str]:
        return [link.id for link in chain_of(self.catalog, backup_id)]


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    """A full backup `1`, and two incremental ones on it; the database was idle, so that all LSNs are the same."""
    made = Backups(tmp_path)
    made.add("1")
    made.add("2", "1")
    made.add("3", "2")
    return made


def test_a_chain_begins_with_the_full_backup(backups: Backups) -> None:
    assert [backups.chain(each) for each in "123"] == [["1"], ["1", "2"], ["1", "2", "3"]]


def test_a_chain_needs_every_archive_manifest_and_signature_in_it(backups: Backups) -> None:
    folders = [layout.backup(STACK, each) for each in "12"]
    names = ("manifest.json", "manifest.json.sig", "db.mbstream.zst.age")
    assert needed_keys(chain_of(backups.catalog, "2")) == {folder + name for folder in folders for name in names}


def test_what_lies_in_an_earlier_backup_is_needed(backups: Backups) -> None:
    [old] = chain_of(backups.catalog, "1")
    backups.add("4", artefacts=old.artefacts)
    [newer] = chain_of(backups.catalog, "4")
    assert "acme/backups/1/db.mbstream.zst.age" in needed_keys([newer])


def test_a_missing_parent_is_named(backups: Backups) -> None:
    backups.remove("2")
    with pytest.raises(ChainError, match="backup 2, the parent of 3, is not there"):
        backups.chain("3")


def test_a_skipped_parent_is_refused_though_its_lsns_join(backups: Backups) -> None:
    backups.add("4", "1", parent_sha256=backups.sha256["2"])
    with pytest.raises(ChainError, match="made on a parent whose manifest has the SHA-256"):
        backups.chain("4")


def test_a_parent_that_was_made_anew_under_its_id_is_refused(backups: Backups) -> None:
    backups.remove("2")
    backups.store.delete(layout.manifest(STACK, "2") + ".sig")
    backups.add("2", "1", host="another")
    with pytest.raises(ChainError, match="SHA-256"):
        backups.chain("3")


def test_a_parent_of_other_lsns_or_of_another_server_is_refused(backups: Backups) -> None:
    [full] = chain_of(backups.catalog, "1")
    backups.add("4", "1", database=full.database.model_copy(update={"from_lsn": "17"}))
    with pytest.raises(ChainError, match="ends at LSN 17"):
        backups.chain("4")
    backups.add("5", "1", database=full.database.model_copy(update={"server_id": 99}))
    with pytest.raises(ChainError, match="server with the id 99"):
        backups.chain("5")


def test_a_parent_of_another_stack_is_refused(backups: Backups) -> None:
    backups.add("x", stack="other")
    backups.add("4", "x")
    with pytest.raises(ChainError, match="describes another backup: other/x"):
        backups.chain("4")


def test_only_an_incremental_backup_has_a_parent(backups: Backups) -> None:
    backups.add("4", "1", kind="full")
    with pytest.raises(ChainError, match="is a full one and names a parent"):
        backups.chain("4")
    backups.add("5", kind="incremental")
    with pytest.raises(ChainError, match="names no parent"):
        backups.chain("5")


def test_no_backup_is_its_own_ancestor(backups: Backups) -> None:
    backups.sha256["4"] = "0" * 64
    backups.add("4", "4")
    with pytest.raises(ChainError, match="its own ancestor"):
        backups.chain("4")
