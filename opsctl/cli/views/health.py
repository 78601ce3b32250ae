"""Answers of `opsctl health`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures, wrap
from opsctl.cli.views.results import result_lines, tally
from opsctl.cli.words import seconds
from opsctl.core.errors import ExitCode
from opsctl.core.notify.notifier import Report as Told
from opsctl.core.result import Outcome, Result, exit_code_of
from opsctl.core.words import counted
from opsctl.health.records import AvailabilityBody, RecoveryBody
from opsctl.health.run import Report
from opsctl.health.watch import outcome_of

_CODES = {
    Outcome.PASSED: ExitCode.DONE,
    Outcome.FAILED: ExitCode.FINDINGS,
    Outcome.COULD_NOT_RUN: ExitCode.PARTIAL,
}


class HealthRun(Document):
    """What one look found, after recovery; times are UTC, `duration_s` is in seconds.

    `hands_off`: why nothing was restarted and nobody was told, whatever failed. `unwatched`: sites without a visit.
    `problems`: what kept messages and signs of life from going out.
    """

    kind: Literal["health-run"] = "health-run"
    stack: str
    started: datetime
    duration_s: float
    results: tuple[Result, ...]
    passed: int
    failed: int
    could_not_run: int
    recoveries: tuple[RecoveryBody, ...]
    maintenance_until: datetime | None
    hands_off: str | None
    unwatched: tuple[str, ...]
    problems: tuple[str, ...]


def problems(told: Told) -> list[str]:
    """Sentences about messages that did not go out."""
    failed = [f"not told to {each.target}: {each.error}" for each in told.attempts if each.error]
    return list(dict.fromkeys((*failed, *told.problems)))


def looked(stack: str, report: Report, unwatched: Sequence[str], said: Sequence[str]) -> HealthRun:
    """Collect and count."""
    counts = {outcome: sum(result.outcome is outcome for result in report.results) for outcome in Outcome}
    return HealthRun(
        stack=stack,
        started=report.started,
        duration_s=(report.finished - report.started).total_seconds(),
        results=report.results,
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        could_not_run=counts[Outcome.COULD_NOT_RUN],
        recoveries=report.recoveries,
        maintenance_until=report.maintenance.until if report.maintenance else None,
        hands_off=report.hands_off,
        unwatched=tuple(unwatched),
        problems=(*([f"not recorded: {report.unrecorded}"] if report.unrecorded else []), *said),
    )


def run_code(report: Report) -> ExitCode:
    """1 when it could not be recorded; 4 when something failed; 3 when something could not be looked at; else 0."""
    return ExitCode.FAILED if report.unrecorded else exit_code_of(report.results)


def text(document: HealthRun, paint: Painter) -> Iterator[str]:
    """Write a line for each check, what was done about it, and what nobody looks at."""
    yield from result_lines(document.results, paint)
    yield ""
    for recovery in document.recoveries:
        word = "restarted" if recovery.action == "restarted" else "gave up on"
        yield from wrap(f"{paint(word, 'cyan')} {recovery.unit} because of {recovery.check}: {recovery.after}", 80)
    if document.hands_off:
        yield from wrap(f"Nothing is restarted and nobody told: {document.hands_off}.", 80)
    if document.unwatched:
        yield from wrap(f"Nobody visits: {', '.join(document.unwatched)}. Add them to [[visits]].", 80)
    for problem in document.problems:
        yield from wrap(paint(problem, "yellow"), 80)
    yield tally(document.passed, document.failed, document.could_not_run, paint)


class HealthWatch(Document):
    """How available each address was."""

    kind: Literal["health-watch"] = "health-watch"
    addresses: tuple[AvailabilityBody, ...]


def watched(bodies: Sequence[AvailabilityBody]) -> HealthWatch:
    """Collect."""
    return HealthWatch(addresses=tuple(bodies))


def watch_code(bodies: Sequence[AvailabilityBody]) -> ExitCode:
    """4 when an address was not available, else 3 when one could not be asked for, else 0."""
    outcomes = {outcome_of(body) for body in bodies}
    return next((_CODES[bad] for bad in (Outcome.FAILED, Outcome.COULD_NOT_RUN) if bad in outcomes), ExitCode.DONE)


def watch_text(document: HealthWatch, paint: Painter) -> Iterator[str]:
    """Write the figures of each address, and when it was not available."""
    for body in document.addresses:
        yield paint(body.url, "bold")
        share = "could not be asked for" if body.availability is None else f"{100 * body.availability:.3f}%"
        judged = body.samples - body.unknown
        pairs = [("available", f"{share} ({body.good} of {counted(judged, 'answer')})")]
        if body.unknown:
            pairs.append(("not judged", f"{counted(body.unknown, 'time')}: no way out from here"))
        pairs.append(("slowest", seconds(body.slowest_s)))
        for outage in body.outages:
            lasted = f"{outage.since:%Y-%m-%d %H:%M:%S} to {outage.until:%H:%M:%S} UTC"
            pairs.append(("down", f"{lasted}: {outage.why}"))
        yield from figures(pairs, paint, indent=2)
