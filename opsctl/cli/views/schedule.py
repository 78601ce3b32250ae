"""Answers of `opsctl schedule`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter, write_text
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, seconds
from opsctl.core.errors import ExitCode, OpsError
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.words import counted
from opsctl.schedule.install import Change, Means
from opsctl.schedule.machine import PLACES, Machine, Planned, why_not_here
from opsctl.schedule.records import JobBody
from opsctl.schedule.standing import Standing
from opsctl.schedule.table import ROWS


class ChangedFile(BaseModel):
    """A file that was, or would be, written or removed; the difference is in the unified format."""

    path: str
    action: Literal["write", "change", "remove"]
    diff: tuple[str, ...]


class ScheduleInstall(Document):
    """What starts this machine's jobs, which they are, and what had to change for it."""

    kind: Literal["schedule-install"] = "schedule-install"
    means: Means
    dry_run: bool
    jobs: tuple[str, ...]
    changes: tuple[ChangedFile, ...]


class LastRun(BaseModel):
    """The newest run of a job (times are UTC); `late_s` is by how many seconds it began after its time."""

    started: datetime
    finished: datetime
    outcome: Outcome
    exit_code: int
    late_s: float


class ScheduledJob(BaseModel):
    """A job of this machine; times are UTC.

    `running` says who runs it now; `timer` says whether systemd's timer is active, and is null where there is none.
    `missing` is the moment at which a run should have begun that did not, `late_s` for how many seconds.
    """

    name: str
    argv: tuple[str, ...]
    calendar: str
    user: str
    timeout_s: float
    enabled: bool
    timer: bool | None
    scheduled_since: datetime | None
    running: str | None
    next: datetime
    last: LastRun | None
    missing: datetime | None
    late_s: float


class ElsewhereJob(BaseModel):
    """A job that is none of this machine's, and why."""

    name: str
    runs_on: str
    why: str


class ScheduleList(Document):
    """This machine's jobs, and, when asked for, all others."""

    kind: Literal["schedule-list"] = "schedule-list"
    place: str
    jobs: tuple[ScheduledJob, ...]
    elsewhere: tuple[ElsewhereJob, ...]


class JobRun(BaseModel):
    """How a run of a job ended: what its record in the ledger says; times are UTC."""

    outcome: Outcome
    started: datetime
    finished: datetime
    body: JobBody


class ScheduleRun(Document):
    """The jobs that ran."""

    kind: Literal["schedule-run"] = "schedule-run"
    runs: tuple[JobRun, ...]


def installed(
    means: Literal["systemd", "cron"], plan: Sequence[Planned], changes: Sequence[Change], *, dry_run: bool
) -> ScheduleInstall:
    """Collect."""
    return ScheduleInstall(
        means=means,
        dry_run=dry_run,
        jobs=tuple(each.job.name for each in plan if each.enabled),
        changes=tuple(ChangedFile(path=str(each.path), action=_action(each), diff=each.diff) for each in changes),
    )


def _action(change: Change) -> Literal["write", "change", "remove"]:
    if change.after is None:
        return "remove"
    return "write" if change.before is None else "change"


def install_text(document: ScheduleInstall, paint: Painter) -> Iterator[str]:
    """Write the differences, and what runs now."""
    for changed in document.changes:
        for line in changed.diff:
            yield paint(line, _diff_style(line))
        yield ""
    jobs = f"{counted(len(document.jobs), 'job')} by {document.means}: {', '.join(document.jobs) or 'none'}"
    if not document.changes:
        yield f"Nothing has to change. {jobs}"
    elif document.dry_run:
        yield f"{counted(len(document.changes), 'file')} would change. {jobs}"
    else:
        yield f"{counted(len(document.changes), 'file')} changed. {jobs}"


def _diff_style(line: str) -> str | None:
    if line.startswith(("---", "+++", "@@")):
        return "dim"
    return {"+": "green", "-": "red"}.get(line[:1])


def listed(machine: Machine, found: Sequence[Standing], timers: Mapping[str, bool], *, every: bool) -> ScheduleList:
    """Collect."""
    elsewhere = [(row, why) for row in ROWS if every and (why := why_not_here(machine, row)) is not None]
    return ScheduleList(
        place=machine.place,
        jobs=tuple(_scheduled(each, timers) for each in found),
        elsewhere=tuple(ElsewhereJob(name=row.job.name, runs_on=row.job.runs_on, why=why) for row, why in elsewhere),
    )


def _scheduled(standing: Standing, timers: Mapping[str, bool]) -> ScheduledJob:
    planned, last = standing.planned, standing.last
    job = planned.job
    return ScheduledJob(
        name=job.name,
        argv=job.argv,
        calendar=job.calendar,
        user=planned.user,
        timeout_s=job.timeout_s,
        enabled=planned.enabled,
        timer=timers.get(job.name),
        scheduled_since=standing.since,
        running=standing.running,
        next=standing.next,
        last=None
        if last is None
        else LastRun(
            started=last.started,
            finished=last.finished,
            outcome=last.outcome,
            exit_code=last.body.exit_code,
            late_s=standing.last_late_s,
        ),
        missing=standing.missing,
        late_s=standing.late_s,
    )


def list_text(document: ScheduleList, paint: Painter) -> Iterator[str]:
    """Write a table; its times are UTC, as the calendars are."""
    rows = [(job.name, _next(job), _last(job), *_outcome(job)) for job in document.jobs]
    if rows:
        yield from table(("job", "next (UTC)", "last (UTC)", "outcome", "late"), rows, paint)
    else:
        yield f"No job of the table is this machine's, which is {PLACES.get(document.place, 'all places')}."
    if any(job.enabled and job.scheduled_since is None for job in document.jobs):
        yield ""
        yield paint("Not everything here runs by itself yet: opsctl schedule install", "yellow")
    if document.elsewhere:
        yield ""
        yield from figures([(job.name, job.why) for job in document.elsewhere], paint)


def _next(job: ScheduledJob) -> Cell:
    if not job.enabled:
        return Cell("off: [[jobs]]", "dim")
    if job.scheduled_since is None or job.timer is False:
        return Cell("not installed", "yellow")
    return Cell(_moment(job.next))


def _last(job: ScheduledJob) -> str:
    return "never" if job.last is None else _moment(job.last.started)


def _outcome(job: ScheduledJob) -> tuple[Cell, Cell]:
    if job.missing is not None:
        late = Cell(seconds(job.late_s), "red", right=True)
        return Cell(f"MISSING since {_moment(job.missing)}", "red"), late
    if job.running is not None:
        return Cell("runs", "cyan"), Cell("", right=True)
    if job.last is None:
        return Cell(""), Cell("", right=True)
    words, style = OUTCOME_WORDS[job.last.outcome], OUTCOME_STYLES[job.last.outcome]
    code = f" ({job.last.exit_code})" if job.last.exit_code else ""
    return Cell(f"{words}{code}", style), Cell(seconds(job.last.late_s), right=True)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def ran(records: Sequence[Record[JobBody]]) -> ScheduleRun:
    """Collect."""
    return ScheduleRun(runs=tuple(_run(record) for record in records))


def _run(record: Record[JobBody]) -> JobRun:
    return JobRun(outcome=record.outcome, started=record.started, finished=record.finished, body=record.body)


def exit_code(document: ScheduleRun) -> ExitCode:
    """Of one run that of its program; 1 when it left no record or took too long; of several the first that is not 0."""
    for each in document.runs:
        if each.body.exit_code in set(ExitCode) and each.body.exit_code:
            return ExitCode(each.body.exit_code)
        if each.outcome is not Outcome.PASSED:
            return ExitCode.FAILED
    return ExitCode.DONE


def run_text(document: ScheduleRun, paint: Painter) -> Iterator[str]:
    """Write how each run ended, and what it said last."""
    if not document.runs:
        yield "No run is missing."
    for each in document.runs:
        yield from _run_text(each, paint)


def _run_text(each: JobRun, paint: Painter) -> Iterator[str]:
    body, lasted = each.body, seconds((each.finished - each.started).total_seconds())
    yield f"{body.job}: {paint(OUTCOME_WORDS[each.outcome], OUTCOME_STYLES[each.outcome])} after {lasted}{_why(each)}"
    for line in body.last_lines:
        yield f"  {line}"


def _why(each: JobRun) -> str:
    body = each.body
    if body.timed_out:
        return f", stopped: it may take {seconds(body.timeout_s)}"
    if body.exit_code:
        return f", exit code {body.exit_code}"
    return "" if body.left_record else f", it left no record of kind '{body.expects}'"


class Teller:
    """Says of each run of `schedule serve` how it ended, on standard output."""

    def __init__(self, paint: Painter, *, quiet: bool) -> None:
        self.paint = paint
        self.quiet = quiet

    def __call__(self, job: str, ended: Record[JobBody] | OpsError) -> None:
        """Write it, unless it is no news."""
        if isinstance(ended, OpsError):
            write_text(f"{job}: {self.paint(str(ended), 'red')}\n")
        elif not (self.quiet and ended.outcome is Outcome.PASSED):
            write_text("".join(f"{line}\n" for line in _run_text(_run(ended), self.paint)))
