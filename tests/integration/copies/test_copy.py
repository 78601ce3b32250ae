"""Copies arrive whole, in order, verified, and go on where they were cut off."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup import layout
from backup.binlog.gaps import find_gaps
from backup.catalog import Catalog
from backup.copies.records import KIND, CopyBody
from backup.copies.run import Destination, copy_to, look_at
from backup.settings import CopySection
from backup.verify import verify_backup
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.store import Store, get, put
from opsctl.core.store.directory import DirectoryStore
from restore_drill.trust import check_head
from tests.support.faulty_store import (
    FailsAtWrite,
    FlipsLastByte,
    Forgets,
    IsFull,
    LosesConnection,
    Rots,
    Truncates,
    WrappedStore,
)
from tests.support.history import STACK, History

SETTINGS = CopySection()


def copy(history: History, destination: Destination, **words: object) -> Record[CopyBody]:
    return copy_to(history.host, destination, SETTINGS, **words)  # type: ignore[arg-type]


def holds(history: History, store: Store) -> None:
    """Everything a restore and a drill read in a repository is there and right."""
    catalog = Catalog(store, STACK, history.host.verifier)
    assert catalog.backup_ids() == history.host.catalog.backup_ids()
    for backup_id in catalog.backup_ids():
        record = verify_backup(catalog, backup_id, ledger=history.host.ledger, progress=history.host.progress)
        assert (record.outcome, record.body.problems) == (Outcome.PASSED, ())
    assert find_gaps(catalog) == []
    assert check_head(catalog, None) == history.host.catalog.newest_head()
    assert get(store, "README.txt")


def documents(store: Store) -> set[str]:
    return {item.key for item in store.list("") if item.key.endswith(".json")}


def test_everything_arrives_and_holds_and_is_on_record(history: History, other: Store) -> None:
    destination = Destination("other", other, off_host=True)
    waiting = look_at(history.host, destination)
    assert waiting.objects == len([item for item in history.store.list("") if "/heads/" not in item.key])
    record = copy(history, destination)
    assert (record.outcome, record.body.backlog, record.body.problems) == (Outcome.PASSED, 0, ())
    assert record.body.objects == waiting.objects + 2
    holds(history, other)
    [entry] = history.host.ledger.query(KIND, STACK)
    assert entry.record_of(CopyBody) == record
    again = copy(history, destination)
    assert (again.outcome, again.body.objects, again.body.size) == (Outcome.PASSED, 0, 0)


def test_what_is_new_goes_out_and_what_is_there_does_not(history: History, offsite: Destination) -> None:
    copy(history, offsite)
    history.backup(files_of=history.manifests[0])
    history.ship()
    history.head()
    record = copy(history, offsite)
    assert record.body.objects == (3 + 2) + 3 + 2
    holds(history, offsite.store)


def test_a_head_never_says_more_than_is_there(history: History, offsite: Destination) -> None:
    copy(history, offsite, lanes=("logs",))
    assert not any("/heads/" in key for key in documents(offsite.store))
    assert check_head(Catalog(offsite.store, STACK, history.host.verifier), None) is None
    copy(history, offsite)
    holds(history, offsite.store)
    first = history.head()
    history.backup()
    history.ship()
    history.now += timedelta(seconds=1)
    history.head()
    copy(history, offsite, lanes=("logs",))
    head = check_head(Catalog(offsite.store, STACK, history.host.verifier), None)
    assert head is not None
    assert (head.newest_backup, head.at) == (history.manifests[-2].id, first.at)
    assert len(documents(offsite.store) & documents(history.store)) > 8


FAULTS: dict[str, Callable[[Store], WrappedStore]] = {
    "flips the last byte": FlipsLastByte,
    "truncates": Truncates,
    "rots": Rots,
    "fails at the first write": lambda store: FailsAtWrite(store, 1),
    "is full": lambda store: IsFull(store, 1000),
    "loses the connection": lambda store: LosesConnection(store, 1000),
    "forgets": Forgets,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_ends_in_a_backup_that_looks_whole_and_the_next_run_repairs_it(
    history: History, offsite: Destination, fault: str
) -> None:
    faulty = FAULTS[fault](offsite.store)
    record = copy(history, replace(offsite, store=faulty))
    assert record.outcome is not Outcome.PASSED
    assert record.body.problems
    assert not [key for key in documents(offsite.store) if "/backups/" in key or "/binlog/" in key]
    assert record.fresh_until is None
    if isinstance(faulty, LosesConnection):
        assert record.outcome is Outcome.COULD_NOT_RUN
        for upload in faulty.uploads:
            upload.abort()
    assert copy(history, offsite).outcome is Outcome.PASSED
    holds(history, offsite.store)


class CannotDelete(WrappedStore):
    """What a host sees of an immutable store."""

    def delete(self, key: str) -> None:
        from opsctl.core.store import DeniedError

        raise DeniedError(f"{key} may not be deleted", where=self.where)


def test_what_arrived_wrong_and_cannot_be_removed_is_said_again_and_again(
    history: History, offsite: Destination
) -> None:
    copy(history, replace(offsite, store=CannotDelete(FlipsLastByte(offsite.store))))
    record = copy(history, replace(offsite, store=CannotDelete(offsite.store)))
    assert record.outcome is Outcome.FAILED
    assert any("has other bytes than were sent" in problem for problem in record.body.problems)
    assert not any("/binlog/s7/" in key for key in documents(offsite.store))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_an_archive_that_rotted_here_is_not_copied_as_a_good_one(history: History, offsite: Destination) -> None:
    full, incremental = history.manifests
    flip(history.host.repository / full.artefact("db").key)
    flip(history.host.repository / history.segments[3].key)
    record = copy(history, offsite)
    assert record.outcome is Outcome.FAILED
    assert [problem.partition(" ")[0] for problem in record.body.problems] == [
        history.segments[3].key,
        full.artefact("db").key,
        layout.manifest(STACK, incremental.id),
    ]
    catalog = Catalog(offsite.store, STACK, history.host.verifier)
    assert catalog.backup_ids() == []
    assert [len(catalog.segments(ref)) for ref in catalog.lineages()] == [3]
    assert record.body.backlog
    assert record.body.oldest_missing is not None


def test_what_has_no_document_yet_stays_at_home(history: History, offsite: Destination) -> None:
    prefix = layout.backup(STACK, layout.new_backup_id(history.now, "full"))
    put(history.store, f"{prefix}db.mbstream.zst.age", b"half")
    put(history.store, f"{layout.lineage(STACK, 's7', 'x')}bin.000009.20260101T000000000000Z-1.zst.age", b"half")
    copy(history, offsite)
    assert not [item.key for item in offsite.store.list(prefix)]
    assert not [item.key for item in offsite.store.list(layout.lineage(STACK, "s7", "x"))]


def test_folders_with_a_document_of_their_own_come_along_archives_first(history: History, offsite: Destination) -> None:
    folder = f"{STACK}/others/20260101T000000Z-1a2b3c4d/"
    for name in ("shop.zst.age", "other.json.sig", "other.json"):
        put(history.store, folder + name, name.encode())
    sent: list[str] = []

    class Watched(WrappedStore):
        def create(self, key: str, *, retain_until: datetime | None = None):  # type: ignore[no-untyped-def]
            sent.append(key)
            return super().create(key)

    copy(history, replace(offsite, store=Watched(offsite.store)))
    arrived = [key.removeprefix(folder) for key in sent if key.startswith(folder)]
    assert arrived == ["shop.zst.age", "other.json.sig", "other.json"]


KILLED = """
import pickle, sys
from backup.copies.run import copy_to
from backup.settings import CopySection
copy_to(*pickle.load(sys.stdin.buffer), CopySection())
"""


@pytest.mark.parametrize(
    "point", ["store.before_publish@3", "copy.arrived@1", "copy.arrived@9", "store.after_publish@12"]
)
def test_a_killed_copy_is_finished_by_the_next(history: History, offsite: Destination, point: str) -> None:
    import pickle

    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=pickle.dumps((history.host, offsite)),
        env={**os.environ, "OPSCTL_FAILPOINT": point},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert list(history.host.ledger.query(KIND)) == []
    assert copy(history, offsite).outcome is Outcome.PASSED
    holds(history, offsite.store)


def test_what_a_killed_copy_had_not_read_back_is_read_before_anything_says_that_it_is_there(
    history: History, offsite: Destination
) -> None:
    key = history.manifests[0].artefact("db").key
    put(offsite.store, key, b"what a killed run left: right size, wrong bytes".ljust(history.size))
    record = copy(history, offsite)
    assert record.outcome is Outcome.FAILED
    assert any(problem.startswith(key) for problem in record.body.problems)
    assert copy(history, offsite).outcome is Outcome.PASSED
    holds(history, offsite.store)


def test_another_run_that_copies_is_left_alone(history: History, offsite: Destination) -> None:
    with lock(history.host.machine.lock_dir, f"copy-{STACK}-offsite-logs", doing="copying for a test"):
        record = copy(history, offsite)
    assert record.outcome is Outcome.COULD_NOT_RUN
    assert "copying for a test" in record.body.problems[0]
    assert (record.body.looked_at, record.body.backlog) == (None, None)
    assert list(offsite.store.list("")) == []


def test_a_stack_never_takes_what_is_anothers(history: History, offsite: Destination) -> None:
    put(history.store, "other/backups/20260101T000000Z-full-1a2b3c4d/manifest.json", b"{}")
    copy(history, offsite)
    assert not [item.key for item in offsite.store.list("other/")]


def test_a_backlog_says_since_when_it_waits(history: History, offsite: Destination) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    found = look_at(history.host, offsite)
    assert found.oldest is not None
    assert before < found.oldest <= datetime.now(UTC)
    assert found.size == sum(item.size for item in history.store.list("") if "/heads/" not in item.key)
    copy(history, offsite)
    assert look_at(history.host, offsite).objects == 0
    assert isinstance(offsite.store, DirectoryStore)
