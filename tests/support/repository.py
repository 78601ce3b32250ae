"""A repository made step by step with the stock programs, so that a test can put a fault where no step would leave one.

Shipping and backing up proper have tests of their own; what is made here has the same form.
"""

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyrage

from backup import layout
from backup.codec import Sealed, seal
from backup.documents import publish
from backup.manifest import Artefact, Database, Manifest
from backup.segment import NO_RECORD, Head, Segment
from backup.settings import ObjectivesSection
from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import compact, new_id, utcnow
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.mariadb.binlog import scan
from opsctl.core.mariadb.binlog_targets import state_at
from opsctl.core.pipeline import Source
from opsctl.core.progress import Silent
from opsctl.core.signing import Namespace, allowed_signers_line, create_key
from opsctl.core.store.directory import DirectoryStore
from restore_drill.context import DrillHost
from restore_drill.prepare import read_binlog_info, read_checkpoints
from restore_drill.settings import DrillSection
from tests.support.mariadb import Server

STACK = "acme"
KEY_FILE = "/etc/mysql/encryption/keys"
LINEAGE = "20260101T000000Z-aaaaaaaa"


@dataclass
class Repository:
    """One stack's repository and the machine that restores from it, below `directory`."""

    directory: Path
    host: DrillHost
    identity: pyrage.x25519.Identity
    shipped: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def store(self) -> DirectoryStore:
        store = self.host.store
        assert isinstance(store, DirectoryStore)
        return store

    def copy(self, directory: Path) -> "Repository":
        """The same content, keys and trust for another test to change; nothing is remembered there yet."""
        shutil.copytree(self.store.directory, directory / "repository")
        (directory / "scratch").mkdir()
        machine = self.host.machine.model_copy(update={"state_dir": directory / "state"})
        host = dataclasses.replace(
            self.host,
            store=DirectoryStore(directory / "repository"),
            machine=machine,
            drill=self.host.drill.model_copy(update={"scratch_dir": directory / "scratch"}),
            ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        )
        shipped = {lineage: list(records) for lineage, records in self.shipped.items()}
        return Repository(directory, host, self.identity, shipped)

    def seal(self, key: str, path: Path) -> Sealed:
        """Seal one file's bytes under a key."""
        with path.open("rb") as stream, self.store.create(key) as upload:
            sealed, _ = seal(
                [Source(stream)],
                upload,
                recipients=[str(self.identity.to_public())],
                level=1,
                threads=1,
                timeout_s=60,
                stall_s=60,
            )
            upload.commit()
        return sealed

    def backup(
        self, server: Server, *, files: Path | None = None, key_file: Path | None = None, **changes: Any
    ) -> Manifest:
        """Take a full backup of a running server; `files` is a tree for a files archive. `changes` falsify the
        manifest's database part."""
        started = utcnow()
        backup_id = layout.new_backup_id(started, "full")
        prefix = layout.backup(STACK, backup_id)
        with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
            work = Path(name)
            database = self._dump(server, work, encrypted=key_file is not None).model_copy(update=changes)
            artefacts = [self._artefact("db", "database", f"{prefix}db.mbstream.zst.age", work / "db.mbstream")]
            if files is not None:
                _tar(files, work / "files.tar")
                artefacts.append(
                    self._artefact("files-site", "files", f"{prefix}files-site.tar.zst.age", work / "files.tar")
                )
            if key_file is not None:
                (work / "root/etc/mysql/encryption").mkdir(parents=True)
                (work / f"root{KEY_FILE}").write_bytes(key_file.read_bytes())
                (work / f"root{KEY_FILE}").chmod(0o400)
                _tar(work / "root", work / "keys.tar")
                artefacts.append(self._artefact("keys", "keys", f"{prefix}keys.tar.zst.age", work / "keys.tar"))
        manifest = Manifest(
            id=backup_id,
            stack=STACK,
            kind="full",
            parent=None,
            started=started,
            finished=utcnow(),
            opsctl_version="0",
            host="host",
            artefacts=tuple(artefacts),
            database=database,
            files=(),
            sites=(),
            web_server=None,
            keys=(KEY_FILE,) if key_file is not None else (),
            phases=(),
        )
        publish(self.store, self.host.signer, Namespace.MANIFEST, layout.manifest(STACK, backup_id), manifest)
        return manifest

    def ship(self, *paths: Path, lineage: str = LINEAGE, names: Sequence[str] = (), **changes: Any) -> list[Segment]:
        """Seal files as the next segments of a lineage, each with a record of what it really holds; `changes` falsify
        the records."""
        records = self.shipped.setdefault(lineage, [])
        segments = []
        for number, path in enumerate(paths):
            found = scan(path)
            name = names[number] if names else path.name
            key = f"{layout.lineage(STACK, 'db-7', lineage)}{name}.{new_id()}"
            described = {
                "stack": STACK,
                "server": "db-7",
                "lineage": lineage,
                "lineage_reason": "the first shipment",
                "number": len(records) + 1,
                "name": name,
                "key": f"{key}.zst.age",
                "sealed": self.seal(f"{key}.zst.age", path),
                "server_version": found.server_version,
                "first_state": str(found.first_state),
                "last_state": str(found.last_state),
                "end_position": found.end_position,
                "transactions": found.transactions,
                "first_time": found.first_time,
                "last_time": found.last_time,
                "heartbeat": None,
                "heartbeat_before": None,
                "sealed_at": utcnow(),
                "previous": sha256_hex(records[-1]) if records else NO_RECORD,
            }
            segment = Segment.model_validate({**described, **changes})
            records.append(publish(self.store, self.host.signer, Namespace.SEGMENT, f"{key}.json", segment))
            segments.append(segment)
        return segments

    def publish_head(self, *, at: datetime | None = None, lineage: str = LINEAGE, **changes: Any) -> Head:
        """State how far the repository reaches."""
        at = at or utcnow()
        records = self.shipped.get(lineage, [])
        described = {
            "stack": STACK,
            "at": at,
            "server": "db-7" if records else None,
            "lineage": lineage if records else None,
            "segments": len(records),
            "last_record": sha256_hex(records[-1]) if records else NO_RECORD,
            "newest_backup": max(self.host.catalog.backup_ids(), default=None),
        }
        head = Head.model_validate({**described, **changes})
        key = f"{layout.heads(STACK)}{compact(at)}-{new_id()}.json"
        publish(self.store, self.host.signer, Namespace.SEGMENT, key, head)
        return head

    def _artefact(self, name: str, kind: Any, key: str, path: Path) -> Artefact:
        return Artefact(
            name=name, kind=kind, key=key, sealed=self.seal(key, path), recipients=(str(self.identity.to_public()),)
        )

    def _dump(self, server: Server, work: Path, *, encrypted: bool) -> Database:
        backup = [
            *("mariadb-backup", "--no-defaults", "--backup", "--user=root", f"--socket={server.socket}"),
            *("--stream=mbstream", f"--target-dir={work}/tmp"),
        ]
        with (work / "db.mbstream").open("wb") as out:
            done = subprocess.run(backup, stdout=out, stderr=subprocess.PIPE, check=True, text=True)
        assert done.stderr.strip().endswith("completed OK!")
        copy = work / "copy"
        copy.mkdir()
        with (work / "db.mbstream").open("rb") as stream:
            subprocess.run(["mbstream", "-x", "-C", copy], stdin=stream, check=True)
        checkpoints = read_checkpoints(copy)
        file, position, gtid = read_binlog_info(copy)
        state = ""
        if file is not None and position is not None:
            [path] = [path for path in server.fetch_raw(work / "raw", file) if path.name == file]
            state = str(state_at(path, position))
        return Database(
            server_version=server.value("SELECT VERSION()"),
            tool_version="10.11.1",
            server_id=server.value("SELECT @@server_id"),
            from_lsn=checkpoints.from_lsn,
            to_lsn=checkpoints.to_lsn,
            last_lsn=checkpoints.last_lsn,
            binlog_file=file,
            binlog_position=position,
            gtid_position=gtid,
            gtid_state=state,
            encrypted=encrypted,
            key_file=KEY_FILE if encrypted else None,
            filekey_file=None,
            tables=(),
        )


def _tar(root: Path, target: Path) -> None:
    subprocess.run(["tar", "-C", root, "-cf", target, "--numeric-owner", "."], check=True)


def make_repository(directory: Path) -> Repository:
    """An empty repository below a directory, and a machine with all its identities."""
    identity = pyrage.x25519.Identity.generate()
    (directory / "identity.txt").write_text(f"{identity}\n")
    key = directory / "signing_key"
    create_key(key, "host@acme")
    (directory / "allowed_signers").write_text(allowed_signers_line("host@acme", key.with_suffix(".pub")))
    (directory / "scratch").mkdir()
    host = DrillHost(
        stack=STACK,
        drill=DrillSection(
            identity_files=(directory / "identity.txt",),
            keys_identity_files=(directory / "identity.txt",),
            scratch_dir=directory / "scratch",
            buffer_pool_mb=64,
        ),
        objectives=ObjectivesSection(),
        machine=MachineSection(place="all", state_dir=directory / "state", lock_dir=directory / "locks"),
        trust=TrustSection(signer="host@acme", signing_key=key, allowed_signers=directory / "allowed_signers"),
        store=DirectoryStore(directory / "repository"),
        repository="local",
        off_host=False,
        ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        progress=Silent(),
    )
    return Repository(directory, host, identity)


@contextmanager
def repository() -> Iterator[Repository]:
    """A repository in a directory that the sandbox's user may pass, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield make_repository(Path(name))
