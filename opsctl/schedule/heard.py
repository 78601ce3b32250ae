"""A listener that is heard: the dead man's switch, people, and whoever reads metrics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsctl.core.errors import ExitCode, OpsError
from opsctl.core.job import Job
from opsctl.core.notify.notifier import Notifier, Report
from opsctl.core.notify.outbox import Trouble
from opsctl.core.notify.signs import Gauge, write_textfile
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.rule import Severity
from opsctl.schedule.records import JobBody

TEXTFILE = "opsctl_jobs"
LATE = "late"
# Findings of these were told by themselves, each once; that they ran is all there is to say of the job.
_TELL_THEMSELVES = frozenset({"health", "anomalies-run"})
_FOUND_SOMETHING = frozenset({int(ExitCode.FINDINGS), int(ExitCode.PARTIAL)})


@dataclass(frozen=True)
class JobState:
    """How a job stands: what it does in a few words, since when (UTC) a run is missing, its last end and outcome."""

    name: str
    what: str
    missing: datetime | None
    finished: datetime | None
    passed: bool


class Heard:
    """Tells of jobs. `states` looks at all jobs of this machine; `report` says what became of the last messages."""

    def __init__(self, notifier: Notifier, states: Callable[[], Sequence[JobState]]) -> None:
        self._notifier = notifier
        self._states = states
        self.report = Report()

    def started(self, job: Job) -> None:
        """Ping the switch."""
        self._notifier.ping(job.name, "start", "")

    def finished(self, job: Job, outcome: Outcome, last_lines: Sequence[str], record: Record[JobBody]) -> None:
        """Ping the switch, tell what failed or is over, and whether another job has not run when it should have."""
        told = outcome is not Outcome.PASSED and _told_by_itself(record.body)
        passed = outcome is Outcome.PASSED or told
        self._notifier.ping(job.name, "success" if passed else "failure", "\n".join(last_lines))
        self._notifier.hear(f"job/{job.name}", [] if passed else [_failed(job, outcome, record.body)])
        problems: list[str] = []
        try:
            states = self._states()
            self._notifier.hear(LATE, list(_late(states)))
            directory = self._notifier.section.textfile_dir
            if directory is not None:
                write_textfile(directory, TEXTFILE, gauges(self._notifier.stack, states))
        except OpsError as error:
            problems.append(str(error))
        self.report = self._notifier.deliver()
        self.report.problems.extend(problems)


def gauges(stack: str, states: Sequence[JobState]) -> list[Gauge]:
    """The jobs as metrics."""
    finished = [({"stack": stack, "job": each.name}, each.finished.timestamp()) for each in states if each.finished]
    passed = [({"stack": stack, "job": each.name}, float(each.passed)) for each in states if each.finished]
    missing = [({"stack": stack, "job": each.name}, float(each.missing is not None)) for each in states]
    return [
        Gauge("opsctl_job_finished_timestamp_seconds", "When a job's last run ended.", finished),
        Gauge("opsctl_job_passed", "Whether a job's last run passed.", passed),
        Gauge("opsctl_job_missing", "Whether a job has not run though it should have.", missing),
    ]


def _told_by_itself(body: JobBody) -> bool:
    return body.expects in _TELL_THEMSELVES and body.left_record and body.exit_code in _FOUND_SOMETHING


def _failed(job: Job, outcome: Outcome, body: JobBody) -> Trouble:
    if body.timed_out:
        why = f"it was stopped after {body.timeout_s:g} s"
    elif not body.left_record and body.exit_code == 0:
        why = f"it left no record of kind '{body.expects}'"
    else:
        why = f"exit code {body.exit_code}"
    partly = outcome is Outcome.COULD_NOT_RUN
    return Trouble(
        fingerprint=f"job/{job.name}",
        severity=Severity.WARNING if partly else Severity.CRITICAL,
        title=f"the job {job.name} {'did only part of its work' if partly else 'failed'}",
        text="\n".join((why, *body.last_lines, f"Try: opsctl schedule run {job.name}")),
    )


def _late(states: Sequence[JobState]) -> Iterator[Trouble]:
    for state in states:
        if state.missing is not None:
            yield Trouble(
                fingerprint=f"{LATE}/{state.name}",
                severity=Severity.CRITICAL,
                title=f"the job {state.name} has not run",
                text=f"{state.what} was due on {state.missing:%Y-%m-%d at %H:%M} UTC\n"
                "Try: opsctl schedule list; systemctl list-timers 'opsctl-*'",
            )
