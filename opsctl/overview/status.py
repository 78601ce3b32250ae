"""`opsctl status`: what could be brought back right now, what proves it, and what is due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup.binlog.lineage import full_backup_due
from backup.catalog import Catalog
from backup.layers import Drilled, Layer, Place, layers
from opsctl.core.clock import SKEW, utcnow
from opsctl.core.ledger import Ledger
from opsctl.settings import Settings


@dataclass(frozen=True)
class Reach:
    """How far the database can be brought back from the local repository: the moment (UTC) and why not further."""

    until: datetime | None
    by: str
    warning: str | None


@dataclass(frozen=True)
class Due:
    """Something that has to be done, why, and the command that does it."""

    what: str
    command: str


@dataclass(frozen=True)
class Status:
    """One look at a stack. `off_host_until` is how far it can be brought back when the host is lost."""

    at: datetime
    layers: tuple[Layer, ...]
    reach: Reach
    off_host_until: datetime | None
    last_drill: Drilled | None
    due: tuple[Due, ...]


def look(
    settings: Settings,
    places: Sequence[Place],
    ledger: Ledger,
    drills: Sequence[Drilled],
    *,
    at: datetime | None = None,
) -> Status:
    """Look at repositories, ledger and drill results. Raises OpsError when one of them does not hold."""
    now = utcnow() if at is None else at
    found = layers(settings.stack.name, places, ledger, drills)
    reach = reach_of(places[0].catalog) if places else Reach(None, "the settings name no repository", None)
    off_host = [reach_of(place.catalog).until for place in places if place.off_host]
    last = max(drills, key=lambda drill: drill.finished, default=None)
    return Status(
        at=now,
        layers=found,
        reach=reach,
        off_host_until=max((until for until in off_host if until is not None), default=None),
        last_drill=last,
        due=tuple(_due(settings, found, reach, drills, now)),
    )


def reach_of(catalog: Catalog) -> Reach:
    """How far a repository reaches: to the newest heartbeat, when the logs continue its newest full backup."""
    ids = catalog.backup_ids()
    if not ids:
        return Reach(None, "there is no backup", None)
    backup = catalog.manifest(ids[-1])
    refs = catalog.lineages()
    beats = [segment.heartbeat for segment in catalog.segments(refs[-1]) if segment.heartbeat] if refs else []
    broken = full_backup_due(catalog)
    if broken is None and beats and beats[-1] > backup.finished:
        return Reach(beats[-1], f"backup {backup.id} and the binary logs since", None)
    return Reach(backup.finished, f"backup {backup.id} alone", broken or "no binary log was shipped since")


def _due(
    settings: Settings, found: Sequence[Layer], reach: Reach, drills: Sequence[Drilled], now: datetime
) -> Iterator[Due]:
    backup, binlog = found[0], found[1]
    fresh = timedelta(hours=settings.backup.fresh_h if settings.backup else 26)
    if not _within(fresh, backup.succeeded, now):
        yield Due(f"a backup: none within {fresh.total_seconds() / 3600:g} h", "opsctl backup run")
    elif reach.until == backup.succeeded and reach.warning and _later(binlog.succeeded, backup.succeeded):
        yield Due(f"a full backup: {reach.warning}", "opsctl backup run")
    ship = timedelta(minutes=settings.binlog.fresh_min)
    if not _within(ship, binlog.succeeded, now):
        yield Due(f"a shipment of binary logs: none within {settings.binlog.fresh_min:g} min", "opsctl binlog ship")
    days = settings.objectives.drill_days
    if not any(drill.passed and _within(timedelta(days=days), drill.finished, now) for drill in drills):
        yield Due(f"a drill: none passed within {days} days", "opsctl drill run")


def _within(fresh: timedelta, moment: datetime | None, now: datetime) -> bool:
    """Whether something happened that lately. What a clock that ran ahead has dated proves nothing about today."""
    return moment is not None and now - fresh <= moment <= now + SKEW


def _later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one > other
