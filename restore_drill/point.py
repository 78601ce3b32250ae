"""Points in time: what was asked for, and the exact place in the binary logs that this is."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup.catalog import Catalog
from backup.manifest import Manifest
from opsctl.core.clock import iso
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.mariadb.binlog_groups import Groups
from opsctl.core.mariadb.binlog_targets import Stop, TargetError, find_gtid, find_stop
from opsctl.core.mariadb.gtid import BinlogState, Gtid
from restore_drill.logs import Logs


@dataclass(frozen=True)
class AtTime:
    """The state at a moment (UTC): before the first transaction that says a later time."""

    moment: datetime


@dataclass(frozen=True)
class AtGtid:
    """The state right after a transaction, in the sequence of the log."""

    gtid: Gtid


@dataclass(frozen=True)
class Latest:
    """Everything that was shipped."""


Target = AtTime | AtGtid | Latest


@dataclass(frozen=True)
class Point:
    """Where a replay stops: at `position` (bytes) of file `number`, None when nothing lies between backup and target.

    `state`: what is written up to there, in `transactions` of `segments` since the backup; `time` (UTC) is the last
    one's. `description` says the place in words.
    """

    position: int | None
    number: int
    state: BinlogState
    transactions: int
    segments: int
    time: datetime | None
    description: str
    warnings: tuple[str, ...] = ()


def parse_target(*, at: datetime | None = None, gtid: str | None = None, latest: bool = False) -> Target | None:
    """Read the words of a command line; None for the backup alone. Raises SettingsError for more than one of them."""
    if (at is not None) + (gtid is not None) + latest > 1:
        raise SettingsError("--at, --gtid and --latest exclude each other", hint="give one of them")
    if at is not None:
        return AtTime(at)
    if gtid is not None:
        return AtGtid(Gtid.parse(gtid))
    return Latest() if latest else None


def pick_backup(catalog: Catalog, target: Target | None, backup_id: str | None) -> Manifest:
    """The backup to begin with: the named one, or the newest before the target.

    Raises OpsError when there is none, or when the named one is from after the target.
    """
    if backup_id is not None:
        manifest = catalog.asked_for(backup_id)
        if not _is_before(manifest, target):
            raise OpsError(
                f"backup {backup_id}, finished {iso(manifest.finished)}, is from after the point asked for",
                hint="leave --backup out, so that the newest one before it is taken",
            )
        return manifest
    for candidate in reversed(catalog.backup_ids()):
        manifest = catalog.manifest(candidate)
        if _is_before(manifest, target):
            return manifest
    raise OpsError(
        f"there is no backup of {catalog.stack}" + (" from before the point asked for" if target else ""),
        where=catalog.store.where,
        hint="run: opsctl backup list",
    )


def resolve(target: Target, logs: Logs) -> Point:
    """Find the exact stop for a target in verified logs.

    Raises TargetError when the logs do not reach it: a restore to another point than was asked for would be a lie.
    """
    if not logs.files:
        return _resolve_nothing(target, logs)
    if isinstance(target, AtGtid):
        return _at_gtid(target.gtid, logs)
    if isinstance(target, AtTime):
        return _at_time(target.moment, logs)
    return _at_end(logs)


def _is_before(manifest: Manifest, target: Target | None) -> bool:
    if isinstance(target, AtTime):
        return manifest.finished <= target.moment
    if isinstance(target, AtGtid):
        state = BinlogState.parse(manifest.database.gtid_state)
        return not state.covers(target.gtid) or state.position().in_domain(target.gtid.domain) == target.gtid
    return True


def _resolve_nothing(target: Target, logs: Logs) -> Point:
    if isinstance(target, AtTime) or (isinstance(target, AtGtid) and not logs.state.covers(target.gtid)):
        raise TargetError(
            "no binary log was shipped since the backup, so the point asked for cannot be reached",
            hint="run on the host: opsctl binlog ship; or restore the backup alone",
        )
    return _nothing(logs, "the end of what was shipped")


def _at_gtid(gtid: Gtid, logs: Logs) -> Point:
    if logs.state.covers(gtid):
        return _nothing(logs, f"after transaction {gtid}")
    stop = find_gtid(logs.paths, gtid, start=logs.start, verify_crc=False)
    return _at_stop(logs, stop, f"after transaction {gtid}")


def _at_time(moment: datetime, logs: Logs) -> Point:
    known = [time for file in logs.files for time in (file.segment.heartbeat, file.segment.last_time) if time]
    if not known or max(known) < moment:
        reach = f"only to {iso(max(known))}" if known else "to no known time"
        raise TargetError(
            f"the shipped binary logs reach {reach}, what happened between then and {iso(moment)} is not in them",
            hint="restore with --latest, or to an earlier time",
        )
    stops = find_stop(logs.paths, moment, start=logs.start, verify_crc=False)
    warnings: tuple[str, ...] = ()
    if stops.differ:
        warnings = (
            f"{stops.between} transactions written after this point say times up to {iso(moment)}, because a session"
            f" set its clock or a statement ran long; to have them too: --gtid {stops.last_not_after.gtid}",
        )
    return _at_stop(logs, stops.first_after, f"before the first transaction after {iso(moment)}", warnings)


def _at_end(logs: Logs) -> Point:
    """After the last transaction of all; the scans know it, so that nothing has to be read again."""
    number = max((number for number, file in enumerate(logs.files) if file.scan.transactions), default=0)
    last, state = logs.files[number].scan, logs.files[-1].scan.last_state
    transactions = sum(file.scan.transactions for file in logs.files) - _count(logs.files[0].path, logs.start)
    if not transactions:
        return _nothing(logs, "the end of what was shipped")
    place = _place(logs, number, last.end_position, "the end of what was shipped")
    return Point(last.end_position, number, state, transactions, number + 1, last.last_time, place)


def _at_stop(logs: Logs, stop: Stop, description: str, warnings: tuple[str, ...] = ()) -> Point:
    number = logs.paths.index(stop.path)
    in_last = _count(stop.path, stop.position)
    before = sum(file.scan.transactions for file in logs.files[:number])
    transactions = before + in_last - _count(logs.files[0].path, logs.start)
    if not transactions:
        return _nothing(logs, description, warnings)
    place = _place(logs, number, stop.position, description)
    segments = number + (in_last > 0)
    return Point(stop.position, number, stop.state, transactions, segments, stop.time, place, warnings)


def _nothing(logs: Logs, description: str, warnings: tuple[str, ...] = ()) -> Point:
    return Point(None, 0, logs.state, 0, 0, None, f"{description}: the backup itself", warnings)


def _place(logs: Logs, number: int, position: int, description: str) -> str:
    return f"{description}, {logs.files[number].segment.name} offset {position}"


def _count(path: Path, end: int) -> int:
    """How many transactions a file has before an offset (bytes)."""
    with Groups(path, verify_crc=False, end=end) as groups:
        return sum(1 for _ in groups)
