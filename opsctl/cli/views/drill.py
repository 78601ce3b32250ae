"""Answers of `opsctl drill`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import GAP, WIDTH, Cell, figures, table, wrap
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, seconds, when
from opsctl.core.result import Outcome, Result
from opsctl.core.words import counted
from restore_drill.exports.report import ExportDrillReport
from restore_drill.report import DrillBody, DrillReport


class DrillRun(Document):
    """A drill that was just run, as it was signed and published."""

    kind: Literal["drill-run"] = "drill-run"
    report: DrillReport


class DrillShow(Document):
    """A drill as it was signed and published."""

    kind: Literal["drill-show"] = "drill-show"
    report: DrillReport


class DrillRow(BaseModel):
    """One drill; times are UTC, durations in seconds."""

    id: str
    finished: datetime
    backup_id: str
    outcome: Outcome
    passed: int
    checks: int
    recovery_point_s: float | None
    recovery_time_s: float | None


class ExportDrillRow(BaseModel):
    """One drill of a logical export; times are UTC, durations in seconds."""

    id: str
    finished: datetime
    export_id: str
    outcome: Outcome
    passed: int
    checks: int
    loaded_into: str | None
    recovery_time_s: float | None


class DrillList(Document):
    """All drills that trusted machines signed, oldest first, of backups and of logical exports."""

    kind: Literal["drill-list"] = "drill-list"
    drills: tuple[DrillRow, ...]
    exports: tuple[ExportDrillRow, ...]


def report_text(report: DrillReport, paint: Painter) -> Iterator[str]:
    """Write the checks with what each found, then what was measured."""
    body = report.body
    yield paint(f"Drill {body.id}", "bold") + f" of backup {body.backup_id}"
    yield ""
    yield from checks_text(body, paint)
    yield ""
    style = OUTCOME_STYLES[report.outcome]
    took = seconds((report.finished - report.started).total_seconds())
    yield f"{paint(f'{body.passed} of {len(body.results)} checks passed', style)}, in {took}."
    yield from figures(list(measured(body)), paint)
    for note in body.notes:
        yield from wrap(f"Note: {note}.", WIDTH)


def checks_text(body: DrillBody, paint: Painter) -> Iterator[str]:
    """Write each of the eight checks, and the extra ones, with what it found and what to do next."""
    every = [*enumerate(body.results, start=1), *(("+", result) for result in body.extra)]
    width = max((len(OUTCOME_WORDS[result.outcome]) for _, result in every), default=0)
    for number, result in every:
        yield from check_text(str(number), result, width, paint)


def check_text(number: str, result: Result, width: int, paint: Painter) -> Iterator[str]:
    """Write one check: `width` is that of the widest word for an outcome."""
    mark = paint(f"{OUTCOME_WORDS[result.outcome]:<{width}}", OUTCOME_STYLES[result.outcome])
    title = paint(result.title, "bold")
    yield f"{number}{' ' * GAP}{mark}{' ' * GAP}{title}{' ' * GAP}{paint(seconds(result.duration_s), 'dim')}"
    indent = " " * (1 + GAP + width + GAP)
    for line in wrap(result.found, WIDTH - len(indent)):
        yield indent + line
    if result.hint and result.outcome is not Outcome.PASSED:
        for position, line in enumerate(wrap(result.hint, WIDTH - len(indent) - 5)):
            yield indent + paint("Try: " if position == 0 else "     ", "cyan") + line


def measured(body: DrillBody) -> Iterator[tuple[str, str]]:
    """Recovery point and recovery time as they were measured, next to what was promised."""
    point = body.recovery_point
    if point is not None:
        objective = f"objective {seconds(point.objective_s)}"
        lost = "no heartbeat ever arrived" if point.database_s is None else f"{seconds(point.database_s)} ({objective})"
        yield "recovery point", f"database {lost}" + (f", files {seconds(point.files_s)}" if point.files_s else "")
        if not point.off_host:
            yield "", "all of it on the host itself: a lost host loses everything"
    if body.recovery_time_s is not None:
        parts = ", ".join(f"{phase.name} {seconds(phase.duration_s)}" for phase in body.phases)
        objective = f"objective {seconds(body.recovery_time_objective_s)}"
        yield "recovery time", f"{seconds(body.recovery_time_s)} ({objective}): {parts}"
    if body.replayed_to is not None:
        yield "replayed up to", when(body.replayed_to)


def listed(reports: Sequence[DrillReport], exports: Sequence[ExportDrillReport]) -> DrillList:
    """Collect."""
    return DrillList(
        drills=tuple(_row(report) for report in reports), exports=tuple(_export_row(report) for report in exports)
    )


def _row(report: DrillReport) -> DrillRow:
    body = report.body
    return DrillRow(
        id=body.id,
        finished=report.finished,
        backup_id=body.backup_id,
        outcome=report.outcome,
        passed=body.passed,
        checks=len(body.results),
        recovery_point_s=body.recovery_point.database_s if body.recovery_point else None,
        recovery_time_s=body.recovery_time_s,
    )


def list_text(document: DrillList, paint: Painter) -> Iterator[str]:
    """Write a table."""
    if not document.drills:
        yield "no drill of a backup has run"
    else:
        yield from _list(document.drills, paint)
    if document.exports:
        yield ""
        yield from _export_list(document.exports, paint)


def _list(drills: Sequence[DrillRow], paint: Painter) -> Iterator[str]:
    rows = [
        (
            row.id,
            Cell(f"{row.passed}/{row.checks}", OUTCOME_STYLES[row.outcome], right=True),
            Cell("" if row.recovery_point_s is None else seconds(row.recovery_point_s), right=True),
            Cell("" if row.recovery_time_s is None else seconds(row.recovery_time_s), right=True),
            row.backup_id,
        )
        for row in drills
    ]
    yield from table(("id", "passed", "point", "time", "backup"), rows, paint)
    yield paint(f"{counted(len(rows), 'drill')}", "dim")


def _export_row(report: ExportDrillReport) -> ExportDrillRow:
    """One row of the list."""
    body = report.body
    return ExportDrillRow(
        id=body.id,
        finished=report.finished,
        export_id=body.export_id,
        outcome=report.outcome,
        passed=body.passed,
        checks=len(body.results),
        loaded_into=body.loaded_into,
        recovery_time_s=body.recovery_time_s,
    )


def _export_list(rows: Sequence[ExportDrillRow], paint: Painter) -> Iterator[str]:
    """Write a table."""
    cells = [
        (
            row.id,
            Cell(f"{row.passed}/{row.checks}", OUTCOME_STYLES[row.outcome], right=True),
            Cell("" if row.recovery_time_s is None else seconds(row.recovery_time_s), right=True),
            row.export_id,
        )
        for row in rows
    ]
    yield from table(("id", "passed", "time", "logical export"), cells, paint)
    yield paint(f"{counted(len(rows), 'drill')} of logical exports", "dim")
