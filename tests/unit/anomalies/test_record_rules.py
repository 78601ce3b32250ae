"""Rules about what runs have proved, on real ledgers: a good day, and each thing broken in turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from anomaly_rules.collectors import Collector
from anomaly_rules.collectors import records as look_at
from anomaly_rules.collectors.records import AnyRecord, Gaps, RecordsLook
from backup.binlog.records import ShipmentBody
from backup.records import BackupBody
from opsctl.core.ledger import SqliteLedger
from opsctl.core.record import AnyBody, Record
from opsctl.core.result import Outcome
from tests.support.measuring import NOW, Bench

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def backup_body(size: int, kind: str = "full") -> BackupBody:
    return BackupBody(backup_id="b", kind=kind, parent=None, repository="local", cipher_size=size)


def shipment_body(*gaps: str) -> ShipmentBody:
    return ShipmentBody(server="s", segments=(), heartbeat=None, gaps=gaps, full_backup_due=None, error=None)


@dataclass
class Proved:
    """A ledger, filled as a host's runs fill it."""

    directory: Path
    ledger: SqliteLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = SqliteLedger(self.directory / "ledger.sqlite")

    def add(
        self,
        kind: str,
        finished: datetime,
        body: "BackupBody | ShipmentBody | dict[str, JsonValue]",
        *,
        fresh: timedelta | None = None,
        outcome: Outcome = PASSED,
        subject: str = "acme",
    ) -> None:
        known = AnyBody.model_validate(body if isinstance(body, dict) else body.model_dump(mode="json"))
        self.ledger.append(
            Record[AnyBody](
                kind=kind,
                version=1,
                subject=subject,
                started=finished,
                finished=finished,
                outcome=outcome,
                fresh_until=None if fresh is None else finished + fresh,
                body=known,
            )
        )

    def records(self) -> tuple[AnyRecord, ...]:
        return tuple(entry.record() for entry in self.ledger.query())

    def good_days(self) -> None:
        """Five days of backups, copies and shipments, a drill, a review, a look for drift."""
        for day in reversed(range(5)):
            night = NOW - timedelta(days=day, hours=8)
            self.add("backup", night, backup_body(1_000_000 + 9_000 * (day % 3)), fresh=26 * HOUR)
            self.add("copy", night + HOUR, copied(night + HOUR), fresh=26 * HOUR)
        for quarter in reversed(range(2)):
            self.add(
                "shipment", NOW - timedelta(minutes=15 * quarter + 2), shipment_body(), fresh=timedelta(minutes=20)
            )
        self.add("drill", NOW - 20 * DAY, drilled(600, 300), fresh=42 * DAY)
        self.add("drift", NOW - HOUR, {}, fresh=DAY)
        self.add("review", NOW - 30 * DAY, {}, fresh=90 * DAY, subject="access")


def copied(looked_at: datetime, missing: datetime | None = None, repository: str = "offsite") -> dict[str, JsonValue]:
    return {
        "repository": repository, "looked_at": looked_at.isoformat(), "backlog": 0 if missing is None else 3,
        "oldest_missing": missing.isoformat() if missing else None, "objects": 3,
    }  # fmt: skip


def drilled(time_s: float | None, point_s: float | None) -> dict[str, JsonValue]:
    point: dict[str, JsonValue] = {"database_s": point_s, "objective_s": 900.0, "segments": 4}
    return {"id": "d", "recovery_time_s": time_s, "recovery_time_objective_s": 3600.0, "recovery_point": point}


@pytest.fixture
def proved(tmp_path: Path) -> Proved:
    return Proved(tmp_path)


def looks(proved: Proved) -> list[Collector]:
    read = proved.records
    drilled_metrics = (look_at.DRILL_OVERDUE, look_at.RECOVERY_TIME, look_at.RECOVERY_POINT)
    return [
        RecordsLook("backups", read, (look_at.BACKUP_OVERDUE, look_at.BACKUP_CHANGE), look_at.backups),
        RecordsLook("shipments", read, (look_at.SHIPPING_OVERDUE,), look_at.shipments),
        Gaps(read),
        RecordsLook("copies", read, (look_at.COPY_LAG,), look_at.copies_to(["offsite"])),
        RecordsLook("drills", read, drilled_metrics, look_at.drills),
        RecordsLook("drift", read, (look_at.DRIFT,), look_at.drift),
        RecordsLook("duties", read, (look_at.DUTY_OVERDUE,), look_at.duties),
    ]


@pytest.fixture
def bench(proved: Proved, tmp_path: Path) -> Bench:
    return Bench(tmp_path, looks(proved))


def no_backup_for_two_days(proved: Proved) -> None:
    proved.add("backup", NOW - 2 * DAY, backup_body(1_000_000), fresh=26 * HOUR)
    proved.add("backup", NOW - DAY, backup_body(0), outcome=FAILED)


BREAKS: dict[str, Callable[[Proved], None]] = {
    "backup-size": lambda it: it.add("backup", NOW - HOUR, backup_body(400_000), fresh=26 * HOUR),
    "binlog-gap": lambda it: it.add(
        "shipment", NOW - 2 * HOUR, shipment_body("binlog.000004 is missing"), outcome=FAILED
    ),
    "off-site-lag": lambda it: it.add("copy", NOW - HOUR, copied(NOW - HOUR, missing=NOW - 30 * HOUR)),
    "recovery-time": lambda it: it.add("drill", NOW - DAY, drilled(4000, 300), fresh=42 * DAY),
    "recovery-point": lambda it: it.add("drill", NOW - DAY, drilled(600, 1000), fresh=42 * DAY),
    "configuration-drift": lambda it: it.add("drift", NOW - HOUR / 2, {"changed": ["/etc/nginx"]}, outcome=FAILED),
    "duty-overdue": lambda it: it.add("incident", NOW - 5 * DAY, {}, fresh=3 * DAY, subject="2026-05-15"),
}
BY_TIME = {"backup-missing": 27 * HOUR, "shipping-stale": HOUR, "drill-overdue": 50 * DAY, "off-site-lag": 3 * DAY}


def test_good_days_raise_nothing(proved: Proved, bench: Bench) -> None:
    proved.good_days()
    bench.read()
    for rule in (*BREAKS, *BY_TIME):
        bench.assert_quiet(rule)


@pytest.mark.parametrize("rule", BREAKS)
def test_a_record_of_trouble_is_found_and_nothing_else(proved: Proved, bench: Bench, rule: str) -> None:
    proved.good_days()
    BREAKS[rule](proved)
    bench.read()
    bench.assert_fires(rule)
    for other in BREAKS.keys() - {rule}:
        bench.assert_quiet(other)


@pytest.mark.parametrize("rule", BY_TIME)
def test_what_is_not_done_any_more_is_found(proved: Proved, bench: Bench, rule: str) -> None:
    proved.good_days()
    later = NOW + BY_TIME[rule]
    bench.read(later)
    bench.assert_fires(rule, later)


def test_backups_that_fail_are_missing_backups(proved: Proved, bench: Bench) -> None:
    no_backup_for_two_days(proved)
    bench.read()
    assert bench.assert_fires("backup-missing").evidence.value == pytest.approx(22)


def test_a_host_that_never_made_a_good_backup_is_found(proved: Proved, bench: Bench) -> None:
    proved.add("backup", NOW - 3 * DAY, backup_body(0), outcome=FAILED)
    bench.read()
    assert bench.assert_fires("backup-missing").evidence.value == pytest.approx(72)


def test_a_repository_that_never_received_a_copy_is_behind_from_the_beginning(proved: Proved, bench: Bench) -> None:
    proved.add("backup", NOW - 3 * DAY, backup_body(10), fresh=DAY)
    proved.add("copy", NOW - HOUR, copied(NOW - HOUR, repository="another"))
    bench.read()
    assert bench.assert_fires("off-site-lag", about="offsite").evidence.value == pytest.approx(72)


def test_a_look_for_drift_that_is_too_old_is_no_pass(proved: Proved, bench: Bench) -> None:
    proved.add("drift", NOW - 3 * DAY, {}, fresh=DAY)
    bench.read()
    assert bench.assert_fires("configuration-drift").evidence.value == 2


def test_a_duty_that_was_done_or_closed_is_not_overdue(proved: Proved, bench: Bench) -> None:
    proved.add("review", NOW - 100 * DAY, {}, fresh=90 * DAY, subject="access")
    proved.add("incident", NOW - 9 * DAY, {}, fresh=3 * DAY, subject="leak")
    bench.read()
    assert len(bench.findings("duty-overdue")) == 2
    proved.add("review", NOW - HOUR, {}, fresh=90 * DAY, subject="access")
    proved.add("incident", NOW - HOUR, {}, subject="leak")
    bench.read(NOW + HOUR)
    bench.assert_quiet("duty-overdue", NOW + HOUR)


def test_a_gap_is_told_for_a_day(proved: Proved, bench: Bench) -> None:
    proved.good_days()
    BREAKS["binlog-gap"](proved)
    for hours in range(0, 26, 5):
        bench.read(NOW + hours * HOUR)
    bench.assert_fires("binlog-gap", NOW + 20 * HOUR)
    bench.assert_quiet("binlog-gap", NOW + 25 * HOUR)


def test_a_record_of_another_form_is_a_source_that_cannot_be_read(proved: Proved, bench: Bench) -> None:
    proved.add("copy", NOW - HOUR, {"place": "elsewhere"})
    done = {each.name: each.why for each in bench.collect()}
    assert "a record of kind copy, version 1, has another form: repository" in (done["copies"] or "")
    assert done["backups"] is None
