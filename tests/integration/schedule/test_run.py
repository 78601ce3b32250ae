"""Runs of jobs: whatever starts one, it is locked, limited in time, recorded and heard."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from opsctl.core.errors import LockedError, OpsError
from opsctl.core.job import Job
from opsctl.core.locks import held, lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.overview import schedule_wire
from opsctl.schedule.machine import Planned
from opsctl.schedule.records import JobBody
from opsctl.schedule.run import Jobs, lock_name
from tests.integration.schedule.conftest import Recorded
from tests.unit.schedule.machines import planned

VERIFY = ("ledger", "verify", "--record")


@dataclass
class Heard:
    """A listener that remembers."""

    said: list[tuple[str, ...]] = field(default_factory=list)
    records: list[Record[JobBody]] = field(default_factory=list)

    def started(self, job: Job) -> None:
        self.said.append(("started", job.name))

    def finished(self, job: Job, outcome: Outcome, last_lines: Sequence[str], record: Record[JobBody]) -> None:
        self.said.append(("finished", job.name, outcome.value, *last_lines))
        self.records.append(record)


def jobs(machine: Recorded, heard: Heard | None = None) -> Jobs:
    found = schedule_wire.machine(machine.loaded)
    return Jobs(found, machine.ledger, heard or Heard())


def test_a_job_that_ended_well_and_left_its_record_has_passed(machine: Recorded) -> None:
    record = jobs(machine).run(planned(*VERIFY))
    assert record.outcome is Outcome.PASSED
    assert machine.runs() == [record]
    assert record.subject == "golden"
    assert (record.body.job, record.body.argv, record.body.exit_code) == ("trial", VERIFY, 0)
    assert record.body.left_record
    assert record.fresh_until is not None
    assert record.fresh_until > record.finished


def test_a_job_that_ended_well_and_left_no_record_has_failed(machine: Recorded) -> None:
    record = jobs(machine).run(planned("ledger", "verify"))
    assert (record.body.exit_code, record.body.left_record) == (0, False)
    assert record.outcome is Outcome.FAILED
    assert record.fresh_until is None


def test_a_record_of_an_earlier_run_does_not_count(machine: Recorded) -> None:
    assert jobs(machine).run(planned(*VERIFY)).outcome is Outcome.PASSED
    assert jobs(machine).run(planned("ledger", "list")).outcome is Outcome.FAILED


def test_a_job_that_could_not_check_has_not_passed(machine: Recorded) -> None:
    for left in (machine.directory / "state").glob("ledger.sqlite*"):
        left.unlink()
    record = jobs(machine).run(planned(*VERIFY, expects="job"))
    assert (record.body.exit_code, record.outcome) == (3, Outcome.FAILED)


def test_the_end_of_what_a_failed_job_said_is_kept(machine: Recorded) -> None:
    record = jobs(machine).run(planned("backup", "run"))
    assert record.body.exit_code == 2
    assert "Error: the settings have no section [database]" in " ".join(record.body.last_lines)


def test_a_job_that_takes_too_long_is_told_to_end_and_has_failed(machine: Recorded) -> None:
    record = jobs(machine).run(planned("schedule", "serve", timeout_s=4, expects="job"))
    assert record.body.timed_out
    assert record.body.exit_code == 143
    assert record.outcome is Outcome.FAILED
    assert "terminated; everything begun was cleaned up" in " ".join(record.body.last_lines)


def test_a_job_that_runs_is_not_started_a_second_time(machine: Recorded) -> None:
    with lock(machine.locks, lock_name("trial"), doing="job trial"), pytest.raises(LockedError):
        jobs(machine).run(planned(*VERIFY))
    assert machine.runs() == []


def test_whoever_listens_hears_the_beginning_and_the_end(machine: Recorded) -> None:
    heard = Heard()
    record = jobs(machine, heard).run(planned("backup", "run"))
    assert heard.said == [("started", "trial"), ("finished", "trial", "failed", *record.body.last_lines)]
    assert heard.records == machine.runs()


def test_a_ledger_that_takes_no_record_is_heard_all_the_same(machine: Recorded) -> None:
    heard = Heard()
    runner = jobs(machine, heard)
    ledger = machine.directory / "state/ledger.sqlite"
    ledger.write_bytes(b"no ledger any more" * 1000)
    with pytest.raises(OpsError):
        runner.run(planned(*VERIFY))
    assert [words[0] for words in heard.said] == ["started", "finished"]


RUNNER = """
import sys
from pathlib import Path
from opsctl.cli import signals
from opsctl.overview import schedule_wire
from opsctl.settings import load_settings
from tests.unit.schedule.machines import planned
signals.install()
loaded = load_settings(Path(sys.argv[1]))
jobs = schedule_wire.jobs(loaded)
class Says:
    def started(self, job): print("started", flush=True)
    def finished(self, job, outcome, last_lines, record): print("finished", outcome.value, flush=True)
jobs.listener = Says()
jobs.run(planned("schedule", "serve", expects="job"))
"""


def test_when_whoever_runs_a_job_is_told_to_end_the_job_ends_first_and_is_recorded(machine: Recorded) -> None:
    words = [sys.executable, "-c", RUNNER, str(machine.config)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "started\n"
        serving = machine.locks / "schedule-serve.lock"
        while not (serving.exists() and serving.read_text()):
            assert runner.poll() is None
        runner.send_signal(signal.SIGTERM)
        assert runner.stdout.readline() == "finished failed\n"
        runner.communicate()
    assert runner.returncode != 0
    assert [record.body.exit_code for record in machine.runs()] == [143]
    assert held(machine.locks, ["schedule-serve", "job-*"]) is None


def test_a_job_whose_program_cannot_be_started_is_recorded_and_heard(
    machine: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/not-there/python")
    heard = Heard()
    with pytest.raises(OpsError, match="not installed"):
        jobs(machine, heard).run(planned(*VERIFY))
    assert [record.body.exit_code for record in machine.runs()] == [127]
    assert [words[0] for words in heard.said] == ["started", "finished"]


def test_a_run_by_hand_says_how_it_ended_and_has_the_programs_exit_code(machine: Recorded) -> None:
    assert opsctl(machine, "schedule", "run", "ledger-verify").returncode == 0
    machine.add('[[jobs]]\nname = "drill"\ntimeout_s = 600\n')
    backups = machine.directory / "repository/golden/backups"
    for manifest in backups.glob("*/manifest.json"):
        manifest.write_text(manifest.read_text().replace("golden", "molten"))
    drill = opsctl(machine, "schedule", "run", "drill")
    assert drill.returncode == machine.runs()[-1].body.exit_code
    assert drill.returncode in {4, 12}
    assert "drill: FAILED after" in drill.stdout


def test_a_job_of_another_user_is_refused(machine: Recorded) -> None:
    machine.add('[schedule]\nuser = "nobody"\n')
    done = opsctl(machine, "schedule", "run", "ledger-verify")
    assert done.returncode == 2
    assert "runs as 'nobody', and this is" in " ".join(done.stderr.split())
    assert machine.runs() == []


def test_jobs_that_are_missing_are_run_and_no_others(machine: Recorded) -> None:
    assert opsctl(machine, "schedule", "run", "--missed").stdout == "No run is missing.\n"
    scheduled = '{"ledger-verify": "2026-05-01T00:00:00Z"}'
    (machine.directory / "state/schedule.json").write_text(scheduled)
    assert opsctl(machine, "schedule", "run", "--missed").returncode == 0
    assert [record.body.job for record in machine.runs()] == ["ledger-verify"]
    assert opsctl(machine, "schedule", "run", "--missed").stdout == "No run is missing.\n"


def opsctl(machine: Recorded, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "opsctl", "--config", str(machine.config), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_planned_job_is_run_with_its_own_words(machine: Recorded) -> None:
    plan: dict[str, Planned] = machine.plan()
    assert plan["ledger-verify"].job.argv == VERIFY
