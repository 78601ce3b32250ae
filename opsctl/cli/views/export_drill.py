"""Answers of `opsctl drill` and `opsctl restore` about logical exports."""

from collections.abc import Iterator
from typing import Literal

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures
from opsctl.cli.views.drill import check_text
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, seconds, when
from opsctl.core.words import counted
from restore_drill.exports.report import ExportDrillReport
from restore_drill.exports.restore import ExportRestoreReport


class ExportDrillRun(Document):
    """A drill of a logical export that was just run, as it was signed and published."""

    kind: Literal["export-drill-run"] = "export-drill-run"
    report: ExportDrillReport


class ExportDrillShow(Document):
    """A drill of a logical export as it was signed and published."""

    kind: Literal["export-drill-show"] = "export-drill-show"
    report: ExportDrillReport


class ExportRestore(Document):
    """What a restore of a logical export brought back."""

    kind: Literal["export-restore"] = "export-restore"
    report: ExportRestoreReport


def report_text(report: ExportDrillReport, paint: Painter) -> Iterator[str]:
    """Write the checks with what each found, then what was measured."""
    body = report.body
    yield paint(f"Drill {body.id}", "bold") + f" of export {body.export_id}"
    yield ""
    width = max(len(OUTCOME_WORDS[result.outcome]) for result in body.results)
    for number, result in enumerate(body.results, start=1):
        yield from check_text(str(number), result, width, paint)
    yield ""
    style = OUTCOME_STYLES[report.outcome]
    took = seconds((report.finished - report.started).total_seconds())
    yield f"{paint(f'{body.passed} of {len(body.results)} checks passed', style)}, in {took}."
    yield from figures(list(_measured(report)), paint)


def _measured(report: ExportDrillReport) -> Iterator[tuple[str, str]]:
    body = report.body
    if body.snapshot is not None:
        yield "as at", when(body.snapshot)
    if body.loaded_into is not None:
        yield "versions", f"from MariaDB {body.server_version} into {body.loaded_into}"
    if body.recovery_time_s is not None:
        parts = ", ".join(f"{phase.name} {seconds(phase.duration_s)}" for phase in body.phases)
        yield "loading time", f"{seconds(body.recovery_time_s)}: {parts}"


def restore_text(document: ExportRestore, paint: Painter) -> Iterator[str]:
    """Say what came back, into which version, how long it took, and what to read next."""
    report = document.report
    total = sum(phase.duration_s for phase in report.phases)
    yield f"Restored into {paint(report.directory, 'green')}."
    pairs = [
        ("export", report.export),
        ("as at", when(report.snapshot)),
        ("versions", f"from MariaDB {report.server_version} into {report.loaded_into}"),
        ("database", f"{counted(report.tables, 'table')}, {counted(report.rows, 'row')}, as the source counted them"),
        ("GTID state", report.gtid_state or "(empty)"),
        ("took", f"{seconds(total)}: " + ", ".join(f"{p.name} {seconds(p.duration_s)}" for p in report.phases)),
    ]
    yield from figures(pairs, paint)
    yield paint("Next: ", "cyan") + f"read {report.directory}/START.txt"
