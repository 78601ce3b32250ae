"""`schedule serve`: the same jobs where there is neither systemd nor cron."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from opsctl.core.clock import iso
from opsctl.core.errors import ExitCode
from opsctl.core.result import Outcome
from opsctl.schedule.serve import Clock
from tests.integration.schedule.conftest import Recorded

OFTEN = '[[jobs]]\nname = "ledger-verify"\ncalendar = "*:*:0/3"\n'
QUIET = "".join(f'[[jobs]]\nname = "{name}"\nenabled = false\n' for name in ("health", "arrivals", "anomalies"))
ONLY = f'{QUIET}[[jobs]]\nname = "drill"\nenabled = false\n'


@contextlib.contextmanager
def serving(machine: Recorded) -> Iterator["subprocess.Popen[str]"]:
    words = [sys.executable, "-m", "opsctl", "--config", str(machine.config), "schedule", "serve"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
        try:
            yield service
        finally:
            service.kill()


def line(service: "subprocess.Popen[str]", beginning: str) -> str:
    """Wait for the service to say something."""
    assert service.stdout is not None
    for said in service.stdout:
        if said.startswith(beginning):
            return said
    raise AssertionError(f"it ended without saying '{beginning}'")


def test_jobs_run_again_and_again_until_it_is_told_to_end(machine: Recorded) -> None:
    machine.add(OFTEN + ONLY)
    with serving(machine) as service:
        for _ in range(3):
            assert "passed" in line(service, "ledger-verify:")
        service.send_signal(signal.SIGTERM)
        service.communicate()
    assert service.returncode == ExitCode.TERMINATED
    runs = machine.runs()
    assert len(runs) >= 3
    assert {run.outcome for run in runs[:3]} == {Outcome.PASSED}
    begun = [run.started for run in runs]
    ended = [run.finished for run in runs]
    assert all(later > earlier for earlier, later in zip(ended, begun[1:], strict=False)), "none overlaps"


def test_a_run_that_was_missed_while_it_was_not_there_is_caught_up_once(machine: Recorded) -> None:
    ago, tomorrow = datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) + timedelta(hours=20)
    machine.add(f'[[jobs]]\nname = "ledger-verify"\ncalendar = "{tomorrow:*-*-* %H:%M}"\n')
    machine.add(ONLY.replace('name = "health"\nenabled = false', 'name = "health"\ncalendar = "*:*:0/3"'))
    (machine.directory / "state/schedule.json").write_text(f'{{"ledger-verify": "{iso(ago)}"}}')
    with serving(machine) as service:
        assert "passed" in line(service, "ledger-verify:")
    with serving(machine) as service:
        line(service, "health:")  # which is not before what was missed
        service.send_signal(signal.SIGINT)
        service.communicate()
    assert service.returncode == ExitCode.INTERRUPTED
    assert [run.body.job for run in machine.runs()].count("ledger-verify") == 1


def test_what_runs_when_it_is_told_to_end_is_ended_and_recorded(machine: Recorded) -> None:
    (machine.directory / "state/schedule.json").write_text('{"drill": "2020-01-01T00:00:00Z"}')
    machine.add(f'{QUIET}[[jobs]]\nname = "ledger-verify"\nenabled = false\n')
    with serving(machine) as service:
        assert service.stdout is not None
        lock = machine.locks / "job-drill.lock"
        while not (lock.exists() and lock.read_text()):
            assert service.poll() is None
        service.send_signal(signal.SIGTERM)
        service.communicate()
    assert [(run.body.job, run.outcome) for run in machine.runs()] == [("drill", Outcome.FAILED)]


def test_a_second_service_is_refused(machine: Recorded) -> None:
    machine.add(OFTEN + ONLY)
    with serving(machine) as service:
        line(service, "ledger-verify:")
        with serving(machine) as second:
            _, errors = second.communicate()
        assert second.returncode == ExitCode.LOCKED
        assert "schedule serve" in errors


def test_a_clock_that_was_set_is_noticed_in_either_direction_and_once() -> None:
    wall, steady = [1000.0], [50.0]
    clock = Clock(lambda: wall[0], lambda: steady[0])
    for by, was_set in ((5.0, False), (3600.0, True), (5.0, False), (-86400.0, True), (5.0, False)):
        wall[0], steady[0] = wall[0] + by, steady[0] + 5.0
        assert clock.was_set() is was_set
