"""Where a replay has to stop, and the GTID state it then stands at.

A stop is exact when it is the start of the first unwanted GTID event: the server's SQL thread halts before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.mariadb.binlog import scan
from opsctl.core.mariadb.binlog_events import CutEventError
from opsctl.core.mariadb.binlog_groups import GROUP_XA_COMPLETED, GROUP_XA_PREPARED, Group, Groups, Xid
from opsctl.core.mariadb.gtid import BinlogState, Gtid


class TargetError(OpsError):
    """The logs do not hold what was asked for, or it is no place to stop at."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A place between two transactions.

    `path`, `position` (bytes): where the next transaction begins, or where the last one ended if none follows.
    `gtid`, `time`: of the transaction before it, None if the files hold none. `state`: what was written up to here.
    `prepared`: XA transactions that the files prepare and do not complete before this place. `nothing_follows`: no
    event at all comes after it, so that `START SLAVE UNTIL relay_log_pos` would wait for ever.
    """

    path: Path
    position: int
    gtid: Gtid | None
    time: datetime | None
    state: BinlogState
    prepared: tuple[Xid, ...]
    nothing_follows: bool


@dataclass(frozen=True, slots=True)
class TimeStops:
    """Two readings of "the state at a time", because the timestamps in a log may go back.

    `first_after`: before the first transaction that says a later time. `last_not_after`: after the last one that does
    not. `between`: how many transactions only the second one applies.
    """

    first_after: Stop
    last_not_after: Stop
    between: int

    @property
    def differ(self) -> bool:
        return self.between > 0


def find_stop(paths: Sequence[Path], moment: datetime, *, start: int = 0, verify_crc: bool = True) -> TimeStops:
    """Find where to stop for the state at `moment` (with a time zone).

    `paths`: the files in sequence; what lies before `start` (bytes) in the first is not looked at. Logs have whole
    seconds: what was written in the second of `moment` is not after it. Both stops are the end of the logs if nothing
    is after it. Raises ValueError without a time zone, TargetError without files, BinlogError, OSError.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    limit = moment.timestamp()
    first: Stop | None = None
    last: Stop | None = None
    since_first = between = 0
    went_back = False
    walk = _Walk(paths, start, verify_crc=verify_crc)
    for group in walk:
        if group.timestamp <= limit:
            went_back = first is not None
        elif first is None or went_back:
            last = walk.stop_before(group)
            first, between, went_back = first or last, since_first, False
        since_first += first is not None
    if first is None or last is None or went_back:
        last, between = walk.stop_at_end(), since_first
    return TimeStops(first or last, last, between)


def find_gtid(paths: Sequence[Path], gtid: Gtid, *, start: int = 0, verify_crc: bool = True) -> Stop:
    """Find the place right after the transaction `gtid`, in the files in sequence, from `start` (bytes) of the first.

    Raises TargetError if it is not there, BinlogError, OSError.
    """
    wanted = (gtid.domain, gtid.server_id, gtid.seq)
    walk = _Walk(paths, start, verify_crc=verify_crc)
    found = False
    for group in walk:
        if found:
            return walk.stop_before(group)
        found = (group.domain, group.server_id, group.seq) == wanted
    end = walk.stop_at_end()
    if found:
        return end
    raise TargetError(f"the binary logs hold no transaction {gtid}", hint=f"they end at {end.state.position()}")


def end_of(paths: Sequence[Path], *, start: int = 0, verify_crc: bool = True) -> Stop:
    """The place after the last complete transaction of the files. Raises TargetError without files, BinlogError."""
    walk = _Walk(paths, start, verify_crc=verify_crc)
    for _ in walk:
        pass
    return walk.stop_at_end()


def state_at(path: Path, position: int, *, verify_crc: bool = True) -> BinlogState:
    """The state at `position` (bytes) of a file, which must be the end of a transaction or of the file's head.

    This is the full state of a backup; the GTID in its binlog info leaves out what another server wrote last. Raises
    TargetError if the position is inside an event or a transaction, BinlogError, OSError.
    """
    try:
        before = scan(path, verify_crc=verify_crc, end=position)
    except CutEventError as error:
        raise TargetError(f"position {position} is inside an event", where=str(path)) from error
    if before.ends_inside_transaction:
        raise TargetError(f"position {position} is inside a transaction", where=str(path))
    return before.last_state


class _Walk:
    """Goes through the transactions of several files; between two of them it knows all that a Stop says.

    Iterates over those from `start` of the first file on; those before it count for the state only.
    """

    def __init__(self, paths: Sequence[Path], start: int, *, verify_crc: bool) -> None:
        if not paths:
            raise TargetError("there are no binary logs to search")
        self._paths = paths
        self._start = start
        self._verify_crc = verify_crc
        self._first_state = BinlogState()
        self._written: dict[tuple[int, int], int] = {}
        self._prepared: dict[Xid, None] = {}
        self._path = self._last_path = paths[0]
        self._last: Group | None = None
        self._end = 0
        self._nothing_follows = False

    def __iter__(self) -> Iterator[Group]:
        for number, path in enumerate(self._paths):
            self._path = path
            with Groups(path, verify_crc=self._verify_crc) as groups:
                for group in groups:
                    if number == 0:
                        self._first_state = groups.first_state
                    if number > 0 or group.start >= self._start:
                        yield group
                    self._apply(path, group)
                if number == 0:
                    self._first_state = groups.first_state
                if self._last is None:
                    self._last_path, self._end = path, groups.head_end
                self._nothing_follows = self._last_path == self._path and self._end == groups.size

    def _apply(self, path: Path, group: Group) -> None:
        key = (group.domain, group.server_id)
        self._written.pop(key, None)  # so that the dictionary stays in the sequence of writing
        self._written[key] = group.seq
        self._last, self._last_path, self._end = group, path, group.end
        if group.xid is not None and group.flags & GROUP_XA_PREPARED:
            self._prepared[group.xid] = None
        elif group.xid is not None and group.flags & GROUP_XA_COMPLETED:
            self._prepared.pop(group.xid, None)

    def stop_before(self, group: Group) -> Stop:
        """The place before the current transaction."""
        return self._stop(self._path, group.start, nothing_follows=False)

    def stop_at_end(self) -> Stop:
        """The place after the last transaction of all, once all were seen."""
        return self._stop(self._last_path, self._end, nothing_follows=self._nothing_follows)

    def _stop(self, path: Path, position: int, *, nothing_follows: bool) -> Stop:
        last = self._last
        return Stop(
            path=path,
            position=position,
            gtid=Gtid(last.domain, last.server_id, last.seq) if last else None,
            time=datetime.fromtimestamp(last.timestamp, UTC) if last else None,
            state=self._first_state.after(self._written),
            prepared=tuple(self._prepared),
            nothing_follows=nothing_follows,
        )
