"""The answer of `opsctl restore`."""

from collections.abc import Iterator
from typing import Literal

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures
from opsctl.cli.words import seconds, when
from opsctl.core.words import counted
from restore_drill.restore import RestoreReport


class Restore(Document):
    """What a restore brought back."""

    kind: Literal["restore"] = "restore"
    report: RestoreReport


def restored(report: RestoreReport) -> Restore:
    """The report of a restore."""
    return Restore(report=report)


def text(document: Restore, paint: Painter) -> Iterator[str]:
    """Say what came back, up to when, how long it took, and what to read next."""
    report = document.report
    total = sum(phase.duration_s for phase in report.phases)
    yield f"Restored into {paint(report.directory, 'green')}."
    pairs = [("backup", report.backup), ("database", report.stopped_at)]
    if report.segments:
        logs = counted(report.segments, "binary log")
        pairs.append(("replayed", f"{counted(report.transactions, 'transaction')} from {logs}"))
    if report.heartbeat is not None:
        pairs.append(("heartbeat", when(report.heartbeat)))
    pairs += [
        ("GTID state", report.gtid_state or "(empty)"),
        ("files", f"as at {when(report.backup_finished)}"),
        ("took", f"{seconds(total)}: " + ", ".join(f"{p.name} {seconds(p.duration_s)}" for p in report.phases)),
    ]
    yield from figures(pairs, paint)
    for warning in report.warnings:
        yield f"{paint('Note:', 'yellow')} {warning}."
    yield paint("Next: ", "cyan") + f"read {report.directory}/START.txt"
