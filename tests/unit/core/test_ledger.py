"""The ledger in SQLite: the contract, and that nothing in it changes unseen."""

import sqlite3
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from opsctl.core.chain import Row
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.verdict import Verdict, judge
from tests.contracts.ledger import LedgerContract, record


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "state" / "ledger.sqlite")


def verdict(ledger: SqliteLedger) -> Verdict:
    log_id = ledger.log_id()
    assert log_id is not None
    return judge(log_id, (Row(e.seq, e.prev_hash, e.payload, e.row_hash) for e in ledger.query()), ()).verdict


class TestSqliteLedger(LedgerContract):
    pass


def test_the_last_of_a_kind_is_found(ledger: SqliteLedger) -> None:
    for number, kind in enumerate(["backup", "drill", "backup"]):
        ledger.append(record(number, kind=kind))
    last = ledger.last("drill")
    assert last is not None
    assert last.seq == 2
    assert ledger.last("nothing") is None


def test_reading_a_ledger_that_is_not_there_makes_none(ledger: SqliteLedger) -> None:
    assert list(ledger.query()) == []
    assert ledger.log_id() is None
    assert not ledger.path.exists()


def test_what_was_written_is_chained(ledger: SqliteLedger) -> None:
    for number in range(20):
        ledger.append(record(number))
    assert verdict(ledger) is Verdict.UNPINNED


def test_eight_writers_at_once_do_not_fork_the_chain(ledger: SqliteLedger) -> None:
    def write() -> None:
        for number in range(10):
            ledger.append(record(number))

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [e.seq for e in ledger.query()] == list(range(1, 81))
    assert verdict(ledger) is Verdict.UNPINNED


@pytest.mark.parametrize("sql", ["UPDATE entry SET kind = 'x'", "DELETE FROM entry"])
def test_changes_by_mistake_are_refused(ledger: SqliteLedger, sql: str) -> None:
    ledger.append(record(1))
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(sql)


def test_a_change_on_purpose_is_seen(ledger: SqliteLedger) -> None:
    for number in range(3):
        ledger.append(record(number))
    with sqlite3.connect(ledger.path) as db:
        db.execute("DROP TRIGGER entry_no_update")
        db.execute("UPDATE entry SET payload = replace(payload, 'passed', 'failed') WHERE seq = 2")
    assert verdict(ledger) is Verdict.BROKEN


def test_a_ledger_of_an_unknown_format_is_refused(ledger: SqliteLedger) -> None:
    ledger.append(record(1))
    with sqlite3.connect(ledger.path) as db:
        db.execute("UPDATE log SET format = 2")
    with pytest.raises(OpsError, match="format 2"):
        ledger.append(record(2))


def test_a_file_that_is_no_ledger_is_refused(ledger: SqliteLedger) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(OpsError, match="cannot be used"):
        list(ledger.query())


def test_an_entry_of_another_form_is_an_integrity_error(ledger: SqliteLedger) -> None:
    class Other(BaseModel):
        text: str

    with pytest.raises(IntegrityError, match="is no Other"):
        ledger.append(record(1)).record_of(Other)


def test_a_snapshot_is_a_whole_ledger(ledger: SqliteLedger, tmp_path: Path) -> None:
    for number in range(3):
        ledger.append(record(number))
    ledger.snapshot(tmp_path / "copy.sqlite")
    copy = SqliteLedger(tmp_path / "copy.sqlite")
    assert [e.row_hash for e in copy.query()] == [e.row_hash for e in ledger.query()]
    assert copy.log_id() == ledger.log_id()
