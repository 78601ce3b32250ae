"""The answers of `opsctl backup prune`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from backup.retention.decide import Verdict
from backup.retention.records import PruneBody
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, table
from opsctl.cli.words import size
from opsctl.core.words import counted
from opsctl.overview.pruning import Plan


class Judged(BaseModel):
    """One thing, by its id (of a binary log: the key of its record): whether it stays, and every reason."""

    id: str
    stays: bool
    reasons: tuple[str, ...]


class BackupPrunePlan(Document):
    """What pruning would do to a repository, and why; nothing was changed. `size` is what would go, in bytes.

    `orphans` counts objects that nothing names, which killed runs have left.
    """

    kind: Literal["backup-prune-plan"] = "backup-prune-plan"
    repository: str
    backups: tuple[Judged, ...]
    logs: tuple[Judged, ...]
    exports: tuple[Judged, ...]
    objects: int
    size: int
    orphans: int


class BackupPrune(Document):
    """What was pruned."""

    kind: Literal["backup-prune"] = "backup-prune"
    pruned: PruneBody


def planned(name: str, plan: Plan) -> BackupPrunePlan:
    """Collect."""
    decision = plan.decision
    return BackupPrunePlan(
        repository=name,
        backups=_judged(decision.backups),
        logs=_judged(decision.logs),
        exports=_judged(decision.exports),
        objects=plan.removal.objects,
        size=plan.removal.size,
        orphans=plan.removal.orphans,
    )


def plan_text(document: BackupPrunePlan, paint: Painter) -> Iterator[str]:
    """Write a table of backups and exports with their reasons; of binary logs, runs of one reason in one line."""
    things = (*document.backups, *document.exports)
    rows = [(_stays(each.stays), each.id, ", ".join(each.reasons)) for each in things]
    rows += [(_stays(stays), name, reason) for stays, name, reason in _runs(document.logs)]
    if rows:
        yield from table(("", "what", "why"), rows, paint)
    else:
        yield f"there is nothing in {document.repository}"
    if document.orphans:
        yield f"Left by killed runs, and named by nothing: {counted(document.orphans, 'object')}."
    yield f"Pruning would delete {counted(document.objects, 'object')}, {size(document.size)}."


def text(document: BackupPrune, paint: Painter) -> Iterator[str]:
    """Say what went."""
    body = document.pruned
    parts = [
        counted(len(body.backups), "backup"),
        counted(body.logs, "binary log"),
        counted(len(body.exports), "export"),
    ]
    yield f"Pruned {paint(body.repository, 'bold')}: {', '.join(parts)}."
    yield f"Deleted: {counted(body.objects, 'object')}, {size(body.size)}."
    if body.refused:
        yield paint(
            f"The store refused to delete {counted(body.refused, 'object')}; a later run tries again.", "yellow"
        )


def _judged(verdicts: Sequence[Verdict]) -> tuple[Judged, ...]:
    return tuple(Judged(id=each.id, stays=each.stays, reasons=each.reasons) for each in verdicts)


def _stays(stays: bool) -> Cell:
    return Cell("stays", "green") if stays else Cell("goes", "red")


def _runs(logs: Sequence[Judged]) -> Iterator[tuple[bool, str, str]]:
    """Neighbours in one lineage with one verdict as one: `bin.000001 to bin.000096 of 20260101T…`."""
    run: list[Judged] = []
    for log in logs:
        if run and (_lineage(run[0]), run[0].stays, run[0].reasons) != (_lineage(log), log.stays, log.reasons):
            yield _line(run)
            run = []
        run.append(log)
    if run:
        yield _line(run)


def _line(run: Sequence[Judged]) -> tuple[bool, str, str]:
    names = [log.id.rpartition("/")[2].rpartition(".json")[0].rpartition(".")[0] for log in (run[0], run[-1])]
    span = names[0] if len(run) == 1 else f"{names[0]} to {names[1]}"
    return run[0].stays, f"{span} of {_lineage(run[0])}", ", ".join(run[0].reasons)


def _lineage(log: Judged) -> str:
    return log.id.split("/")[-2]
