"""The schedule on a booted host: timers fire, what was missed is caught up, and each job works in its service."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from opsctl.schedule.calendar import parse
from opsctl.schedule.table import ROWS
from tests.hosts.host import Host
from tests.hosts.scheduled import Scheduled

OFTEN = '[[jobs]]\nname = "ledger-verify"\ncalendar = "*:*:0/2"\ndelay_s = 0\n'


@pytest.fixture(scope="module")
def scheduled(hosts: Callable[..., Host]) -> Scheduled:
    return Scheduled(hosts())


def test_a_timer_fires_again_and_again_and_each_run_is_recorded(scheduled: Scheduled) -> None:
    scheduled.settings(OFTEN)
    before = len(scheduled.runs("ledger-verify"))
    scheduled.install()
    scheduled.wait_for_run("ledger-verify", times=2)
    runs = scheduled.runs("ledger-verify")[before:]
    assert len(runs) >= 2
    assert {run["outcome"] for run in runs} == {"passed"}
    [job] = [job for job in scheduled.json("schedule", "list")["jobs"] if job["name"] == "ledger-verify"]
    assert job["timer"] is True
    assert job["last"]["outcome"] == "passed"
    assert job["missing"] is None


@pytest.mark.parametrize("job", ["backup", "binlog-ship", "verify", "ledger-verify", "drill"])
def test_a_job_works_in_a_service_that_is_shut_in(scheduled: Scheduled, job: str) -> None:
    scheduled.settings("")
    scheduled.install()
    done = scheduled.host.run("systemctl", "start", f"opsctl-{job}.service", check=False)
    said = scheduled.host.run("journalctl", "-o", "cat", "-n", "30", "-u", f"opsctl-{job}").stdout
    assert done.returncode == 0, said
    assert scheduled.runs(job)[-1]["outcome"] == "passed"


def test_a_service_writes_nowhere_else_and_gets_no_new_privileges(scheduled: Scheduled) -> None:
    scheduled.settings("")
    scheduled.install()
    for job in ("backup", "drill"):
        shown = scheduled.host.run("systemctl", "show", f"opsctl-{job}.service", "-p", "ProtectSystem,NoNewPrivileges")
        assert set(shown.stdout.split()) == {"ProtectSystem=strict", "NoNewPrivileges=yes"}
    verified = scheduled.host.run("sh", "-c", "systemd-analyze verify /etc/systemd/system/opsctl-*", check=False)
    assert "opsctl-" not in verified.stdout + verified.stderr


def test_a_run_that_was_missed_while_the_host_was_off_is_caught_up_after_the_boot(scheduled: Scheduled) -> None:
    in_twelve_hours = datetime.now(UTC) + timedelta(hours=12)
    calendar = f"*-*-* {in_twelve_hours:%H:%M}"
    scheduled.settings(f'[[jobs]]\nname = "ledger-verify"\ncalendar = "{calendar}"\ndelay_s = 0\n')
    scheduled.install()
    before = len(scheduled.runs("ledger-verify"))
    host = scheduled.host
    host.run("touch", "-d", "2 days ago", "/var/lib/systemd/timers/stamp-opsctl-ledger-verify.timer")
    host.power_off()
    host.boot()
    scheduled.wait_for_run("ledger-verify", since="--boot")
    assert len(scheduled.runs("ledger-verify")) == before + 1


def test_what_is_in_place_is_left_alone_and_what_is_gone_is_removed(scheduled: Scheduled) -> None:
    scheduled.settings("")
    scheduled.install()
    assert scheduled.install().startswith("Nothing has to change.")
    assert "copy" not in scheduled.timers(), "there is no second repository"
    assert {"backup", "verify"} <= scheduled.timers()
    scheduled.host.write("/etc/systemd/system/opsctl-of-the-customer.timer", "[Timer]\nOnCalendar=daily\n")
    scheduled.settings('[[jobs]]\nname = "verify"\nenabled = false\n')
    planned = scheduled.install("--dry-run")
    assert "--- /etc/systemd/system/opsctl-verify.timer" in planned
    assert "verify" in scheduled.timers(), "a dry run changes nothing"
    scheduled.install()
    assert "verify" not in scheduled.timers()
    assert not scheduled.host.inside("/etc/systemd/system/opsctl-verify.service").exists()
    assert scheduled.host.inside("/etc/systemd/system/opsctl-of-the-customer.timer").exists()


def test_a_changed_calendar_is_acted_on_at_once(scheduled: Scheduled) -> None:
    scheduled.settings("")
    scheduled.install()
    scheduled.settings('[[jobs]]\nname = "backup"\ncalendar = "*-*-* 13:37"\ndelay_s = 0\n')
    assert "+OnCalendar=*-*-* 13:37 UTC" in scheduled.install()
    listed = scheduled.host.run("systemctl", "list-timers", "--no-legend", "opsctl-backup.timer").stdout
    assert " 13:37:00 " in listed


def test_jobs_of_another_place_are_refused(scheduled: Scheduled) -> None:
    scheduled.settings("", place="host")
    scheduled.install()
    assert "drill" not in scheduled.timers()
    done = scheduled.host.run("opsctl", "schedule", "run", "drill", check=False)
    assert done.returncode == 2
    assert "runs on the drill host" in " ".join(done.stderr.split())
    scheduled.settings('[[jobs]]\nname = "drill"\nenabled = true\n', place="host")
    assert scheduled.host.run("opsctl", "schedule", "install", check=False).returncode == 2


def test_systemd_understands_every_calendar_as_we_do(scheduled: Scheduled) -> None:
    base = datetime(2027, 2, 20, 11, 7, 31, tzinfo=UTC)
    odd = (
        "Mon..Fri *:05,35",
        "*-*-01/10",
        "*-02-29 04:30",
        "Sat,Sun 12:00",
        "*:*:0/20",
        "weekly",
        "Sun *-*-01..07 04:30",
    )
    calendars = [*(row.job.calendar for row in ROWS), *odd]
    expressions = [expression for calendar in calendars for expression in parse(calendar).expressions]
    ours = [f"{moment:%a %Y-%m-%d %H:%M:%S} UTC" for each in expressions for moment in following(each, base, 4)]
    words = ("systemd-analyze", "calendar", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", "--iterations=4")
    said = scheduled.host.run(*words, *(f"{expression} UTC" for expression in expressions)).stdout
    assert re.findall(r": (\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)$", said, re.MULTILINE) == ours


def following(expression: str, moment: datetime, count: int) -> Iterator[datetime]:
    for _ in range(count):
        moment = parse(expression).after(moment)
        yield moment


def test_jobs_run_as_another_user_than_root(host: Host) -> None:
    """On a host, all that they may besides is to read what belongs to others; a drill may not even that."""
    own = Scheduled(host)
    own.settings('[schedule]\nuser = "mysql"\n')
    host.shell("chown -R mysql:mysql /var/lib/opsctl /var/backups/opsctl; rm -r /run/opsctl")
    own.install()
    for job in ("backup", "binlog-ship", "verify", "ledger-verify", "drill"):
        done = host.run("systemctl", "start", f"opsctl-{job}.service", check=False)
        assert done.returncode == 0, host.run("journalctl", "-o", "cat", "-n", "30", "-u", f"opsctl-{job}").stdout
        assert own.runs(job)[-1]["outcome"] == "passed"
    shown = host.run("systemctl", "show", "opsctl-drill.service", "-p", "CapabilityBoundingSet").stdout
    assert shown == "CapabilityBoundingSet=\n"
    refused = host.run("opsctl", "schedule", "run", "drill", check=False)
    assert refused.returncode == 2, "what root leaves behind, the job's user could not go on with"
