"""How jobs stand: what is missing, what was late, and since when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.core.errors import OpsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.schedule.machine import Machine
from opsctl.schedule.records import KIND, VERSION, JobBody
from opsctl.schedule.run import lock_name
from opsctl.schedule.standing import SINCE_FILE, Standing, note_scheduled, standings
from tests.unit.schedule.machines import EVERYTHING, planned

DAY = timedelta(days=1)
DUE = datetime(2026, 5, 13, 2, 0, tzinfo=UTC)
JOB = planned("ledger", "verify", calendar="*-*-* 02:00")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return replace(EVERYTHING, state_dir=tmp_path / "state", lock_dir=tmp_path / "locks")


def ran(machine: Machine, *begun: datetime, last_lines: tuple[str, ...] = ()) -> SqliteLedger:
    """A ledger with runs of the job."""
    machine.state_dir.mkdir(exist_ok=True)
    ledger = SqliteLedger(machine.state_dir / "ledger.sqlite")
    for moment in begun:
        body = JobBody(
            job="trial",
            argv=("ledger", "verify"),
            exit_code=0,
            timed_out=False,
            timeout_s=60,
            expects="x",
            left_record=True,
            last_lines=last_lines,
        )
        ledger.append(
            Record[JobBody](
                kind=KIND,
                version=VERSION,
                subject="acme",
                started=moment,
                finished=moment + timedelta(seconds=5),
                outcome=Outcome.PASSED,
                fresh_until=None,
                body=body,
            )
        )
    return ledger


def standing(machine: Machine, ledger: SqliteLedger, at: datetime, *, since: datetime = DUE - 9 * DAY) -> Standing:
    machine.state_dir.mkdir(exist_ok=True)
    note_scheduled(machine, [JOB], at=since)
    [found] = standings([JOB], machine, ledger, at=at)
    return found


def test_a_run_in_time_leaves_nothing_missing(machine: Machine) -> None:
    found = standing(machine, ran(machine, DUE + timedelta(seconds=7)), DUE + timedelta(hours=3))
    assert found.missing is None
    assert found.late_s == 0
    assert found.last_late_s == 7
    assert found.next == DUE + DAY


def test_a_run_that_did_not_begin_is_missing_after_the_slack(machine: Machine) -> None:
    ledger = ran(machine, DUE - DAY)
    assert standing(machine, ledger, DUE + timedelta(seconds=100)).missing is None
    found = standing(machine, ledger, DUE + timedelta(hours=1))
    assert (found.missing, found.late_s) == (DUE, 3600)


def test_a_run_before_its_time_does_not_stand_for_the_one_that_is_due(machine: Machine) -> None:
    found = standing(machine, ran(machine, DUE - timedelta(minutes=1)), DUE + timedelta(hours=1))
    assert found.missing == DUE


def test_a_late_run_says_by_how_much_and_one_by_hand_is_not_late(machine: Machine) -> None:
    late, by_hand = DUE + timedelta(hours=5), DUE + timedelta(hours=7)
    assert standing(machine, ran(machine, late), by_hand).last_late_s == 5 * 3600
    assert standing(machine, ran(machine, by_hand), by_hand + DAY / 4).last_late_s == 0


def test_a_job_that_runs_is_not_missing(machine: Machine) -> None:
    with lock(machine.lock_dir, lock_name("trial"), doing="job trial"):
        found = standing(machine, ran(machine), DUE + timedelta(hours=1))
    assert found.running is not None
    assert found.missing is None


def test_a_job_that_was_never_scheduled_here_is_not_missing(machine: Machine) -> None:
    [found] = standings([JOB], machine, ran(machine), at=DUE + timedelta(hours=1))
    assert (found.since, found.missing) == (None, None)


def test_what_was_due_before_it_was_scheduled_is_not_missing(machine: Machine) -> None:
    assert standing(machine, ran(machine), DUE + timedelta(hours=2), since=DUE + timedelta(hours=1)).missing is None


def test_a_job_keeps_the_time_since_when_it_is_scheduled_and_one_that_is_gone_loses_it(machine: Machine) -> None:
    other = replace(JOB, job=JOB.job.model_copy(update={"name": "other"}))
    note_scheduled(machine, [JOB, other], at=DUE)
    note_scheduled(machine, [JOB], at=DUE + DAY)
    note_scheduled(machine, [JOB, other], at=DUE + 2 * DAY)
    found = standings([JOB, other], machine, ran(machine), at=DUE + 3 * DAY)
    assert [each.since for each in found] == [DUE, DUE + 2 * DAY]


def test_what_a_job_said_is_not_taken_for_another_jobs_record(machine: Machine) -> None:
    ledger = ran(machine, DUE, last_lines=('{"job":"other"}', '"job":"other"'))
    assert standing(machine, ledger, DUE + timedelta(hours=1)).last is not None


def test_a_damaged_file_is_an_error_that_says_what_to_do(machine: Machine) -> None:
    machine.state_dir.mkdir()
    (machine.state_dir / SINCE_FILE).write_text('["no table"]')
    with pytest.raises(OpsError) as raised:
        standings([JOB], machine, ran(machine), at=DUE)
    assert "opsctl schedule install" in (raised.value.hint or "")
