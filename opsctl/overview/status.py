"""`opsctl status`: what could be brought back right now, what proves it, and what is due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup.copies.behind import Behind
from backup.layers import Layer, layers
from backup.logical.catalog import DRILL, MAKE
from backup.survey import Drilled, Reach, Survey
from backup.sweep.records import KIND as SWEEP
from backup.sweep.records import SweepBody
from backup.sweep.run import FRESH as MONTH
from opsctl.core.clock import SKEW, utcnow
from opsctl.core.errors import ExitCode
from opsctl.core.ledger import Ledger
from opsctl.core.result import Outcome
from opsctl.core.words import counted
from opsctl.deploy.records import FULL_RESTORE, FullRestoreBody
from opsctl.settings import Settings


@dataclass(frozen=True)
class Due:
    """Something that has to be done, why, and the command that does it."""

    what: str
    command: str


@dataclass(frozen=True)
class FullRestore:
    """A lost host that works again: which, since when (UTC), and the seconds from its loss until its sites answered."""

    host: str
    finished: datetime
    total_s: float


@dataclass(frozen=True)
class Status:
    """One look at a stack. `off_host_until` is how far it can be brought back when the host is lost."""

    at: datetime
    repositories: tuple[Survey, ...]
    layers: tuple[Layer, ...]
    reach: Reach
    off_host_until: datetime | None
    last_drill: Drilled | None
    last_full_restore: FullRestore | None
    copies: tuple[Behind, ...]
    due: tuple[Due, ...]


def look(
    settings: Settings,
    surveys: Sequence[Survey],
    ledger: Ledger,
    *,
    copies: Sequence[Behind] = (),
    at: datetime | None = None,
) -> Status:
    """Put the looks at all repositories, the local one first, the ledger, and what is still to be copied together."""
    now = utcnow() if at is None else at
    found = layers(settings.stack.name, surveys, ledger, copies)
    reach = surveys[0].reach if surveys else Reach(None, "the settings name no repository", None)
    off_host = [each.reach.until for each in surveys if each.off_host]
    drills = [drill for each in surveys for drill in each.drills]
    return Status(
        at=now,
        repositories=tuple(surveys),
        layers=found,
        reach=reach,
        off_host_until=max((until for until in off_host if until is not None), default=None),
        last_drill=max(drills, key=lambda drill: drill.finished, default=None),
        last_full_restore=_full_restore(ledger, settings.stack.name),
        copies=tuple(copies),
        due=(
            *_unseen(surveys),
            *_due(settings, found, reach, drills, now),
            *_export_due(settings, found[4], now),
            *_unread(surveys, ledger, settings.stack.name, now),
            *_uncopied(copies, timedelta(minutes=settings.copies.fresh_min), now),
        ),
    )


def exit_code(surveys: Sequence[Survey]) -> ExitCode:
    """3 when a repository could not be looked at, else 0: that something is due is no failure of the look."""
    return ExitCode.PARTIAL if any(each.problem for each in surveys) else ExitCode.DONE


def _full_restore(ledger: Ledger, stack: str) -> FullRestore | None:
    """The newest; it stands in the ledger of the machine that has the identities."""
    newest = None
    for entry in ledger.query(FULL_RESTORE, stack):
        newest = entry.record_of(FullRestoreBody)
    return None if newest is None else FullRestore(newest.body.host, newest.finished, newest.body.total_s)


def _unseen(surveys: Sequence[Survey]) -> Iterator[Due]:
    for each in surveys:
        if each.problem:
            yield Due(f"a look at the repository '{each.name}' ({each.where}): {each.problem}", "opsctl doctor")


def _export_due(settings: Settings, layer: Layer, now: datetime) -> Iterator[Due]:
    """A logical export, and its drill, where there was ever one."""
    if not layer.configured:
        return
    days = settings.backup.export_fresh_days if settings.backup else 8
    if not _within(timedelta(days=days), layer.succeeded, now):
        yield Due(f"a logical export: none within {days:g} days", MAKE)
    drill_days = settings.objectives.drill_days
    if not _within(timedelta(days=drill_days), layer.drilled, now):
        yield Due(f"a drill of the logical export: none passed within {drill_days} days", DRILL)


def _unread(surveys: Sequence[Survey], ledger: Ledger, stack: str, now: datetime) -> Iterator[Due]:
    """What the last sweep of a repository found, or that there has been none for a month where there were some."""
    last = {}
    for entry in ledger.query(SWEEP, stack):
        record = entry.record_of(SweepBody)
        last[record.body.where] = record
    for each in surveys:
        found = last.get(each.where)
        command = f"opsctl backup verify --sample 5 --repository {each.name}"
        if found is None:
            continue
        if found.outcome is Outcome.FAILED:
            yield Due(f"a look at '{each.name}': {(*found.body.stale, *found.body.problems)[0]}", command)
        elif not _within(MONTH, found.finished, now):
            yield Due(f"a verification of '{each.name}': none within {MONTH.days} days", command)


def _uncopied(copies: Sequence[Behind], fresh: timedelta, now: datetime) -> Iterator[Due]:
    """What waits too long for its copy, or was dated by a clock that ran ahead."""
    for each in copies:
        if each.oldest is not None and not _within(fresh, each.oldest, now):
            waiting = f"{counted(each.backlog, 'object')}, for {each.lag_s(now) / 60:.0f} min"
            why = f": {each.problems[0]}" if each.problems else ""
            yield Due(f"a copy to '{each.repository}': {waiting}{why}", "opsctl backup copy")


def _due(
    settings: Settings, found: Sequence[Layer], reach: Reach, drills: Sequence[Drilled], now: datetime
) -> Iterator[Due]:
    """What could not be looked at is not called missing."""
    backup, binlog = found[0], found[1]
    fresh = timedelta(hours=settings.backup.fresh_h if settings.backup else 26)
    if backup.checked and not _within(fresh, backup.succeeded, now):
        yield Due(f"a backup: none within {fresh.total_seconds() / 3600:g} h", "opsctl backup run")
    elif reach.until == backup.succeeded and reach.warning and _later(binlog.succeeded, backup.succeeded):
        yield Due(f"a full backup: {reach.warning}", "opsctl backup run")
    ship = timedelta(minutes=settings.binlog.fresh_min)
    if binlog.checked and not _within(ship, binlog.succeeded, now):
        yield Due(f"a shipment of binary logs: none within {settings.binlog.fresh_min:g} min", "opsctl binlog ship")
    days = settings.objectives.drill_days
    if not any(drill.passed and _within(timedelta(days=days), drill.finished, now) for drill in drills):
        seen = "" if all(layer.checked for layer in found) else ", as far as could be looked"
        yield Due(f"a drill: none passed within {days} days{seen}", "opsctl drill run")


def _within(fresh: timedelta, moment: datetime | None, now: datetime) -> bool:
    """Whether something happened that lately. What a clock that ran ahead has dated proves nothing about today."""
    return moment is not None and now - fresh <= moment <= now + SKEW


def _later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one > other
