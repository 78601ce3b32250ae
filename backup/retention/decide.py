"""Which backups, binary logs and exports stay, and why: a function of what there is and of the policy alone.

The time of day plays no part. Calendar rules count days, weeks, months and years in which there is something, so that
neither a clock that jumps nor backups that have stopped ever make anything old. What is not whole takes no place from
what is.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

Place = tuple[int, int]
"""Where something is in the shipped logs: the number of the lineage among all, and of the segment in it."""


@dataclass(frozen=True)
class Policy:
    """How many of each are kept: the last ones, one for each of the last days, weeks, months and years that have one,
    and the days of binary logs from which every moment can be restored. `zone`: whose calendar it is."""

    last: int
    daily: int
    weekly: int
    monthly: int
    yearly: int
    binlog_days: int
    zone: tzinfo


@dataclass(frozen=True)
class Kept:
    """A backup or an export. `sound` is false for what is empty, failed its last verification, or lacks a parent.

    `position` is where the shipped logs go on after a backup; `proved` says that a drill of it passed; `stated` that
    the newest head names it.
    """

    id: str
    started: datetime
    sound: bool = True
    locked: bool = False
    stated: bool = False
    parent: str | None = None
    position: Place | None = None
    proved: bool = False


@dataclass(frozen=True)
class Log:
    """A sealed binary log, by the key of its record; `stated`: the newest head ends with it."""

    id: str
    place: Place
    sealed_at: datetime
    locked: bool = False
    stated: bool = False


@dataclass(frozen=True)
class Holdings:
    """All there is in a repository. Ids of backups and exports sort by time; logs are in the order of their places."""

    backups: tuple[Kept, ...]
    logs: tuple[Log, ...] = ()
    exports: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether one thing stays, and every reason for it; a thing that goes has one that says so."""

    id: str
    stays: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """A verdict on everything, in the order in which it was given. `stands_on`: backups whose position decided."""

    backups: tuple[Verdict, ...]
    logs: tuple[Verdict, ...]
    exports: tuple[Verdict, ...]
    stands_on: tuple[str, ...]


@dataclass
class _Reasons:
    """Why things stay, in the order in which the reasons were found."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, things: Iterable[Kept], reason: str) -> None:
        for thing in things:
            self.found.setdefault(thing.id, []).append(reason)


def decide(holdings: Holdings, policy: Policy) -> Decision:
    """Judge everything."""
    backups = sorted(holdings.backups, key=lambda backup: backup.id)
    known = {backup.id: backup for backup in backups}
    whole = [backup for backup in backups if _is_whole(backup, known)]
    reasons = _by_rules(backups, whole, policy)
    reasons.add([backup for backup in whole if backup.proved][-1:], "the newest that passed a drill")
    base = _base(holdings.logs, whole, policy)
    if base is not None:
        reasons.add([base], f"the last {policy.binlog_days} days of binary logs stand on it")
    firsts = _first_on_each_lineage(whole, base, _window(holdings.logs, policy))
    reasons.add(firsts, "the binary logs begin with it")
    _add_parents(backups, reasons)
    exports = sorted(holdings.exports, key=lambda export: export.id)
    exported = _by_rules(exports, [export for export in exports if export.sound], policy)
    return Decision(
        tuple(_verdict(backup, reasons.found) for backup in holdings.backups),
        tuple(_judge_logs(holdings.logs, base, policy)),
        tuple(_verdict(export, exported.found) for export in holdings.exports),
        tuple(each.id for each in (base, *firsts) if each is not None),
    )


def _is_whole(backup: Kept, known: Mapping[str, Kept]) -> bool:
    """Whether it and all its parents are there and sound."""
    seen: set[str] = set()
    while backup.sound and backup.id not in seen:
        seen.add(backup.id)
        if backup.parent is None:
            return True
        if backup.parent not in known:
            return False
        backup = known[backup.parent]
    return False


def _by_rules(things: Sequence[Kept], whole: Sequence[Kept], policy: Policy) -> _Reasons:
    """What the counts keep of what is whole. What is not takes no place there, and stays as long as it would if it
    were: a fault that is found today removes nothing."""
    reasons = _Reasons()
    reasons.add(things[-1:], "the newest")
    reasons.add(whole[-1:], "the newest that is whole")
    reasons.add([thing for thing in things if thing.locked], "locked")
    reasons.add([thing for thing in things if thing.stated], "the newest head names it")
    for reason, kept in _counted(whole, policy):
        reasons.add(kept, reason)
    for faulty in set(things) - set(whole):
        for reason, kept in _counted(sorted((*whole, faulty), key=lambda thing: thing.id), policy):
            reasons.add([thing for thing in kept if thing is faulty], reason)
    return reasons


def _counted(things: Sequence[Kept], policy: Policy) -> Iterable[tuple[str, list[Kept]]]:
    yield "last", list(things[-policy.last :]) if policy.last else []
    for name, count, period in _PERIODS:
        yield name, _one_of_each(things, count(policy), period, policy.zone)


def _one_of_each(
    things: Sequence[Kept], count: int, period: Callable[[datetime], Hashable], zone: tzinfo
) -> list[Kept]:
    """The newest of each of the last `count` periods that have one."""
    found: dict[Hashable, Kept] = {}
    for thing in reversed(things):
        when = period(thing.started.astimezone(zone))
        if when not in found:
            if len(found) == count:
                break
            found[when] = thing
    return list(found.values())


_PERIODS: tuple[tuple[str, Callable[[Policy], int], Callable[[datetime], Hashable]], ...] = (
    ("daily", lambda policy: policy.daily, lambda at: at.date()),
    ("weekly", lambda policy: policy.weekly, lambda at: at.isocalendar()[:2]),
    ("monthly", lambda policy: policy.monthly, lambda at: (at.year, at.month)),
    ("yearly", lambda policy: policy.yearly, lambda at: at.year),
)


def _window(logs: Sequence[Log], policy: Policy) -> Sequence[Log]:
    """The logs of the last days on which any were sealed."""
    days: set[Hashable] = set()
    for number in range(len(logs) - 1, -1, -1):
        days.add(logs[number].sealed_at.astimezone(policy.zone).date())
        if len(days) > policy.binlog_days:
            return logs[number + 1 :]
    return logs


def _base(logs: Sequence[Log], whole: Sequence[Kept], policy: Policy) -> Kept | None:
    """The newest backup from which every log of the window can be replayed; without a window, the newest of all."""
    window = _window(logs, policy)
    positioned = [(backup.position, backup) for backup in whole if backup.position is not None]
    if not window:
        return positioned[-1][1] if positioned and logs else None
    return next((backup for position, backup in reversed(positioned) if position <= window[0].place), None)


def _first_on_each_lineage(whole: Sequence[Kept], base: Kept | None, window: Sequence[Log]) -> list[Kept]:
    """A break ends what can be replayed onto earlier backups: the first one after it begins anew."""
    based = base.position[0] if base is not None and base.position is not None else -1
    found: dict[int, Kept] = {}
    for backup in whole:
        if window and backup.position is not None and backup.position[0] >= max(window[0].place[0], based + 1):
            found.setdefault(backup.position[0], backup)
    return list(found.values())


def _add_parents(backups: Sequence[Kept], reasons: _Reasons) -> None:
    known = {backup.id: backup for backup in backups}
    for backup in reversed(backups):  # a parent is older than its child
        if backup.id in reasons.found and backup.parent in known:
            reasons.add([known[backup.parent]], f"needed by {backup.id}")


def _judge_logs(logs: Sequence[Log], base: Kept | None, policy: Policy) -> Iterable[Verdict]:
    """From the base on all of them; of each lineage only a beginning ever goes, so that no gap is ever made."""
    window = {log.id for log in _window(logs, policy)}
    held: dict[int, str] = {}
    for log in logs:
        if base is None or base.position is None:
            reason = "there is no backup before the window that the logs could be replayed onto"
        elif log.id in window:
            reason = f"of the last {policy.binlog_days} days"
        elif log.place >= base.position:
            reason = f"needed from {base.id} on"
        elif log is logs[-1]:
            reason = "the newest"
        elif log.locked or log.stated:
            reason = "locked" if log.locked else "the newest head ends with it"
        elif log.place[0] in held:
            reason = f"follows {held[log.place[0]]}, which stays"
        else:
            yield Verdict(log.id, False, (f"older than the last {policy.binlog_days} days, and needed by no backup",))
            continue
        held.setdefault(log.place[0], log.id)
        yield Verdict(log.id, True, (reason,))


def _verdict(thing: Kept, reasons: Mapping[str, list[str]]) -> Verdict:
    if thing.id in reasons:
        return Verdict(thing.id, True, tuple(dict.fromkeys(reasons[thing.id])))
    return Verdict(thing.id, False, ("no rule keeps it" if thing.sound else "not whole, and no rule keeps it",))
