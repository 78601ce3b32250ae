"""What every Ledger must do. A test module subclasses LedgerContract and gives the fixture `ledger`: an empty one."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from opsctl.core.ledger import Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome

START = datetime(2026, 3, 29, 1, 59, 59, 500_000, tzinfo=UTC)


class Body(BaseModel):
    number: int


def record(number: int, *, kind: str = "backup", subject: str = "acme") -> Record[Body]:
    """A record that was finished `number` minutes after START."""
    finished = START + timedelta(minutes=number)
    return Record[Body](
        kind=kind, version=1, subject=subject, started=START, finished=finished, outcome=Outcome.PASSED,
        fresh_until=finished + timedelta(hours=26), body=Body(number=number),
    )  # fmt: skip


class LedgerContract:
    """Subclass, and provide the fixture `ledger`."""

    def test_a_record_reads_back_as_it_was_written(self, ledger: Ledger) -> None:
        entry = ledger.append(record(1))
        assert [found.record_of(Body) for found in ledger.query()] == [record(1)]
        assert entry.record().body.model_dump() == {"number": 1}

    def test_entries_come_oldest_first_and_are_numbered_without_a_gap(self, ledger: Ledger) -> None:
        for number in (3, 1, 2):
            ledger.append(record(number))
        assert [(e.seq, e.record_of(Body).body.number) for e in ledger.query()] == [(1, 3), (2, 1), (3, 2)]

    def test_each_entry_names_the_one_before(self, ledger: Ledger) -> None:
        entries = [ledger.append(record(number)) for number in range(4)]
        assert [e.prev_hash for e in entries] == [bytes(32), *(e.row_hash for e in entries[:-1])]

    def test_a_query_selects_by_kind_subject_and_time(self, ledger: Ledger) -> None:
        for number, (kind, subject) in enumerate([("backup", "acme"), ("drill", "acme"), ("backup", "zeta")] * 2):
            ledger.append(record(number, kind=kind, subject=subject))
        assert [e.seq for e in ledger.query("backup")] == [1, 3, 4, 6]
        assert [e.seq for e in ledger.query("backup", "acme")] == [1, 4]
        assert [e.seq for e in ledger.query(since=START + timedelta(minutes=4))] == [5, 6]
        assert list(ledger.query("nothing")) == []

    def test_freshness_survives_the_round_trip_in_utc(self, ledger: Ledger) -> None:
        ledger.append(record(3))
        found = next(iter(ledger.query())).record_of(Body)
        assert found.fresh_until == START + timedelta(minutes=3, hours=26)
        assert found.fresh_until is not None
        assert found.fresh_until.tzinfo is not None
