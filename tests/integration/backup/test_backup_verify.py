"""`backup verify` sees whatever was done to a backup in its repository."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backup.context import Host
from backup.records import VerificationBody
from backup.run import run_backup
from backup.verify import verify_backup
from opsctl.core.errors import UnreachableError
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.signing import create_key
from opsctl.core.store import Stored
from opsctl.core.store.directory import DirectoryStore
from tests.support.host import make_host
from tests.support.mariadb import Server


@pytest.fixture
def host(directory: Path, shared_server: Server) -> Host:
    """A host with one backup."""
    made = make_host(directory, shared_server)
    run_backup(made)
    return made


def verified(host: Host) -> Record[VerificationBody]:
    [backup_id] = host.catalog.backup_ids()
    return verify_backup(host.catalog, backup_id, ledger=host.ledger, progress=host.progress)


def test_an_untouched_backup_passes_and_is_recorded(host: Host) -> None:
    record = verified(host)
    assert record.outcome is Outcome.PASSED
    assert record.fresh_until is not None
    assert (record.body.problems, record.body.artefacts) == ((), 3)
    [entry] = host.ledger.query("verification", "acme")
    assert entry.record_of(VerificationBody) == record


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


def add(path: Path) -> None:
    path.with_name("more").write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "harm", "problem"),
    [
        ("db.mbstream.zst.age", flip, "other bytes"),
        ("keys.tar.zst.age", truncate, "bytes, the manifest says"),
        ("state.tar.zst.age", remove, "is missing"),
        ("state.tar.zst.age", add, "is no part of the backup"),
        ("manifest.json", flip, "manifest.json"),
        ("manifest.json.sig", remove, "manifest.json.sig"),
        ("manifest.json.sig", flip, "manifest.json"),
    ],
)
def test_any_harm_is_found_named_and_recorded(
    host: Host, name: str, harm: Callable[[Path], None], problem: str
) -> None:
    [backup_id] = host.catalog.backup_ids()
    harm(Path(host.store.where) / "acme/backups" / backup_id / name)
    record = verified(host)
    assert record.outcome is Outcome.FAILED
    assert record.fresh_until is None
    assert len(record.body.problems) == 1
    assert problem in record.body.problems[0]
    assert [entry.record_of(VerificationBody) for entry in host.ledger.query("verification")] == [record]


def test_all_problems_are_reported_together(host: Host) -> None:
    [backup_id] = host.catalog.backup_ids()
    folder = Path(host.store.where) / "acme/backups" / backup_id
    flip(folder / "db.mbstream.zst.age")
    remove(folder / "keys.tar.zst.age")
    add(folder / "keys.tar.zst.age")
    assert len(verified(host).body.problems) == 3


def test_a_manifest_by_a_signer_who_is_not_trusted_fails(host: Host, directory: Path) -> None:
    create_key(directory / "stranger", "host@acme")
    public = (directory / "stranger.pub").read_text().split()
    host.trust.allowed_signers.write_text(f"host@acme {public[0]} {public[1]}\n")
    record = verified(host)
    assert record.outcome is Outcome.FAILED
    assert "trusted" in record.body.problems[0]


class Unreachable(DirectoryStore):
    """A store that lists, opens, and then does not answer any more."""

    def stat(self, key: str) -> Stored | None:
        raise UnreachableError("the store does not answer", where=self.where)


def test_a_store_that_does_not_answer_is_no_verdict_on_the_backup(host: Host) -> None:
    catalog = host.catalog
    catalog.store = Unreachable(Path(host.store.where))
    [backup_id] = host.catalog.backup_ids()
    record = verify_backup(catalog, backup_id, ledger=host.ledger, progress=host.progress)
    assert record.outcome is Outcome.COULD_NOT_RUN
    assert record.fresh_until is None


@pytest.fixture(autouse=True)
def _no_leftovers(directory: Path) -> Iterator[None]:
    """A verification changes nothing in the repository."""
    yield
    assert not list(directory.rglob(".partial-*"))
