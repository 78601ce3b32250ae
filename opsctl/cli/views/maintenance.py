"""Answers of `opsctl maintenance`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures, wrap
from opsctl.core.errors import ExitCode
from opsctl.health.maintenance import Switched
from opsctl.health.nginx import Gap
from opsctl.health.state import Maintenance
from opsctl.health.visit import MAINTENANCE_STATUS


class Active(BaseModel):
    """Maintenance that there is: why, from when until when (UTC), and who is let through."""

    reason: str
    since: datetime
    until: datetime
    allow: tuple[str, ...]


class Visited(BaseModel):
    """What a visit got from this machine: a status, or why it got none. It may be among those let through."""

    name: str
    status: int | None
    problem: str | None


class MaintenanceSwitched(Document):
    """What switching came to. `problem`: why nginx did not take it up, and will only when it starts again."""

    kind: Literal["maintenance-switched"] = "maintenance-switched"
    maintenance: Active | None
    problem: str | None
    visits: tuple[Visited, ...]


class Missing(BaseModel):
    """A line that nginx's configuration lacks, and where it belongs."""

    line: str
    where: str


class MaintenanceStatus(Document):
    """Whether there is maintenance, and what nginx lacks to show it."""

    kind: Literal["maintenance-status"] = "maintenance-status"
    maintenance: Active | None
    missing: tuple[Missing, ...]


def switched(found: Switched) -> MaintenanceSwitched:
    """Collect."""
    return MaintenanceSwitched(
        maintenance=_active(found.maintenance),
        problem=found.problem,
        visits=tuple(Visited(name=each.name, status=each.status, problem=each.problem) for each in found.seen),
    )


def exit_code(document: MaintenanceSwitched) -> ExitCode:
    """3 when nginx did not take it up, or visitors do not see it although nobody is let through; else 0."""
    if document.problem is not None:
        return ExitCode.PARTIAL
    if document.maintenance is not None and not document.maintenance.allow:
        unseen = any(visit.status != MAINTENANCE_STATUS for visit in document.visits)
        return ExitCode.PARTIAL if unseen else ExitCode.DONE
    return ExitCode.DONE


def text(document: MaintenanceSwitched, paint: Painter) -> Iterator[str]:
    """Write what there is now, and what visits got."""
    yield from _what(document.maintenance, paint)
    if document.problem is not None:
        yield from wrap(paint(f"nginx was not told: {document.problem}", "yellow"), 80)
        yield from wrap("It takes this up when it starts.", 80)
    for visit in document.visits:
        yield f"  {visit.name}: {visit.status if visit.status is not None else visit.problem}"
    if document.maintenance is not None and not document.visits:
        yield from wrap("Nobody looked whether visitors see it: there are no [[visits]].", 80)


def status(maintenance: Maintenance | None, missing: Sequence[Gap]) -> MaintenanceStatus:
    """Collect."""
    return MaintenanceStatus(
        maintenance=_active(maintenance), missing=tuple(Missing(line=gap.line, where=gap.where) for gap in missing)
    )


def status_text(document: MaintenanceStatus, paint: Painter) -> Iterator[str]:
    """Write what there is, and the lines that are missing."""
    yield from _what(document.maintenance, paint)
    if not document.missing:
        yield "nginx includes what maintenance needs."
        return
    yield paint("nginx does not include what maintenance needs:", "yellow")
    for missing in document.missing:
        yield f"  {missing.line}"
        yield from (f"    {line}" for line in wrap(f"in {missing.where}", 76))


def _active(maintenance: Maintenance | None) -> Active | None:
    return None if maintenance is None else Active.model_validate(maintenance.model_dump(exclude={"version"}))


def _what(maintenance: Active | None, paint: Painter) -> Iterator[str]:
    if maintenance is None:
        yield "There is no maintenance."
        return
    yield paint(f"Maintenance until {maintenance.until:%Y-%m-%d %H:%M:%S} UTC.", "yellow")
    pairs = [("reason", maintenance.reason), ("since", f"{maintenance.since:%Y-%m-%d %H:%M:%S} UTC")]
    if maintenance.allow:
        pairs.append(("let through", ", ".join(maintenance.allow)))
    yield from figures(pairs, paint, indent=2)
