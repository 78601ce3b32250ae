"""Who hears of jobs: that one failed, that it is well again, and that another never started."""

from datetime import timedelta

import pytest

from opsctl.core.job import Job
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.schedule.heard import Heard, JobState
from opsctl.schedule.listener import Listener
from opsctl.schedule.records import JobBody
from tests.integration.notify.conftest import Desk
from tests.support.receivers import Receiver, receiver

BACKUP = Job(
    name="backup", argv=("backup", "run"), calendar="*-*-* 02:00:00", runs_on="host", timeout_s=60, expects="backup"
)
HEALTH = Job(name="health", argv=("health", "run"), calendar="*:0/5", runs_on="host", timeout_s=60, expects="health")


def end(desk: Desk, listener: Listener, job: Job, code: int, *, timed_out: bool = False, left: bool = True) -> None:
    """A run of the job ends so."""
    passed = code == 0 and left and not timed_out
    outcome = Outcome.PASSED if passed else Outcome.COULD_NOT_RUN if code == 3 else Outcome.FAILED
    body = JobBody(
        job=job.name,
        argv=job.argv,
        exit_code=code,
        timed_out=timed_out,
        timeout_s=job.timeout_s,
        expects=job.expects,
        left_record=left,
        last_lines=("Error: the disk is full", "Try: df -h"),
    )
    record = Record(
        kind="job",
        version=1,
        subject="acme",
        started=desk.now,
        finished=desk.now,
        outcome=outcome,
        fresh_until=None,
        body=body,
    )
    listener.started(job)
    listener.finished(job, outcome, body.last_lines, record)
    desk.later(minutes=5)


def titles(hook: Receiver) -> list[str]:
    return [str(request.json()["title"]) for request in hook.requests]


def test_a_job_that_fails_is_heard_once_with_its_last_lines_and_once_when_it_is_well(desk: Desk) -> None:
    with receiver() as hook:
        desk.channel("hook", hook.url("json"))
        listener = Heard(desk.notifier(), list)
        for code in (1, 1, 0, 0):
            end(desk, listener, BACKUP, code)
        assert titles(hook) == ["acme: the job backup failed", "Over: acme: the job backup failed"]
        assert "exit code 1\nError: the disk is full\nTry: df -h" in str(hook.requests[0].json()["message"])


@pytest.mark.parametrize(
    ("code", "timed_out", "left", "words"),
    [
        (143, True, False, "it was stopped after 60 s"),
        (0, False, False, "it left no record of kind 'backup'"),
        (3, False, True, "exit code 3"),
    ],
)
def test_what_is_wrong_with_it_is_said(desk: Desk, code: int, timed_out: bool, left: bool, words: str) -> None:
    with receiver() as hook:
        desk.channel("hook", hook.url("json"))
        end(desk, Heard(desk.notifier(), list), BACKUP, code, timed_out=timed_out, left=left)
        assert words in str(hook.requests[0].json()["message"])


def test_health_that_found_something_has_told_it_itself_and_one_that_broke_has_not(desk: Desk) -> None:
    with receiver() as hook:
        desk.channel("hook", hook.url("json"))
        listener = Heard(desk.notifier(), list)
        end(desk, listener, HEALTH, 4)
        end(desk, listener, HEALTH, 3)
        assert titles(hook) == []
        end(desk, listener, HEALTH, 1)
        end(desk, listener, HEALTH, 4, left=False)
        assert titles(hook) == ["acme: the job health failed"]


def test_a_job_that_never_started_is_heard_by_the_next_one_that_runs(desk: Desk) -> None:
    missing = [JobState("backup", "nightly backup", desk.now - timedelta(hours=3), None, passed=False)]
    with receiver() as hook:
        desk.channel("hook", hook.url("json"))
        listener = Heard(desk.notifier(textfile_dir=desk.directory), lambda: missing)
        end(desk, listener, HEALTH, 0)
        end(desk, listener, HEALTH, 0)
        assert titles(hook) == ["acme: the job backup has not run"]
        assert "nightly backup was due on 2026-05-01 at 09:00 UTC" in str(hook.requests[0].json()["message"])
        metrics = (desk.directory / "opsctl_jobs.prom").read_text().splitlines()
        assert 'opsctl_job_missing{stack="acme",job="backup"} 1' in metrics
        missing[0] = JobState("backup", "nightly backup", None, desk.now, passed=True)
        end(desk, listener, BACKUP, 0)
        assert titles(hook)[1:] == ["Over: acme: the job backup has not run"]


def test_the_switch_hears_of_each_beginning_and_end(desk: Desk) -> None:
    with receiver() as switch:
        notifier = desk.notifier(ping_url_file=desk.secret("ping.url", switch.url(path="/key/{job}")))
        listener = Heard(notifier, list)
        end(desk, listener, BACKUP, 0)
        end(desk, listener, BACKUP, 1)
        end(desk, listener, HEALTH, 4)
    assert [request.path for request in switch.requests] == [
        "/key/backup/start",
        "/key/backup",
        "/key/backup/start",
        "/key/backup/fail",
        "/key/health/start",
        "/key/health",
    ]
    assert switch.requests[3].body == b"Error: the disk is full\nTry: df -h"
