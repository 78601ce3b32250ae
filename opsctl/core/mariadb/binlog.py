"""What a decrypted binary log file holds: its transactions, the GTID state before and after them, and how it ends.

Files are those that `mariadb-binlog --read-from-remote-server --raw` delivers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opsctl.core.mariadb.binlog_groups import (
    GROUP_DDL,
    GROUP_STANDALONE,
    GROUP_XA_COMPLETED,
    GROUP_XA_PREPARED,
    Groups,
    Incident,
    Xid,
)
from opsctl.core.mariadb.gtid import BinlogState, Gtid


@dataclass(frozen=True, slots=True)
class Transaction:
    """One event group: from its GTID event at `start` to the end of its last event, `end` (bytes).

    `timestamp`: when the committing statement began, by the session's clock, which `SET timestamp` moves: not
    monotonic. `standalone`: one statement without a COMMIT event. `xa_prepared`, `xa_completed`: the XA transaction
    that it prepares, or that it commits or rolls back after an earlier prepare.
    """

    gtid: Gtid
    start: int
    end: int
    timestamp: datetime
    standalone: bool
    is_ddl: bool
    xa_prepared: Xid | None
    xa_completed: Xid | None


@dataclass(frozen=True, slots=True)
class FileScan:
    """One binary log file.

    `created`: when the server began it; `closed`: when it rotated or stopped. A rotation's time is that of the session
    that brought it about, so `SET timestamp` moves it. `first_state`: the GTID list at its head; `last_state`: after
    its complete transactions. `end_position`: the offset after the last complete transaction, or after the head if
    there is none. `size`: bytes. `first_time`, `last_time`: the timestamps of the first and the last complete
    transaction. How it ends: `rotate_to` names the next file; `stopped`: a clean shutdown; neither: a crash, or the
    server is still writing it. `in_use`: the server's mark of an open file, which fetching with --raw clears.
    `incidents`: where the server says that events were lost.
    """

    server_version: str
    server_id: int
    created: datetime
    first_state: BinlogState
    last_state: BinlogState
    end_position: int
    size: int
    transactions: int
    rotate_to: str | None
    stopped: bool
    closed: datetime | None
    in_use: bool
    ends_inside_transaction: bool
    first_time: datetime | None
    last_time: datetime | None
    incidents: tuple[Incident, ...]


def scan(path: Path, *, verify_crc: bool = True, end: int | None = None) -> FileScan:
    """Read a whole file, or what it was when it had `end` bytes.

    Raises BinlogError, which names file and offset, for anything damaged, cut, encrypted or out of place; OSError.
    """
    with Groups(path, verify_crc=verify_crc, end=end) as groups:
        written: dict[tuple[int, int], int] = {}
        count, end_position, first_time, last_time = 0, 0, None, None
        for count, group in enumerate(groups, start=1):  # noqa: B007
            _, end_position, last_time, domain, server_id, seq, _, _ = group
            if first_time is None:
                first_time = last_time
            key = (domain, server_id)
            written.pop(key, None)  # so that the dictionary stays in the sequence of writing
            written[key] = seq
        return FileScan(
            server_version=groups.format.server_version,
            server_id=groups.format.server_id,
            created=groups.format.created,
            first_state=groups.first_state,
            last_state=groups.first_state.after(written),
            end_position=end_position or groups.head_end,
            size=groups.size,
            transactions=count,
            rotate_to=groups.rotate_to,
            stopped=groups.stopped,
            closed=_utc(groups.closed_at),
            in_use=groups.format.in_use,
            ends_inside_transaction=groups.open_at is not None,
            first_time=_utc(first_time),
            last_time=_utc(last_time),
            incidents=tuple(groups.incidents),
        )


def transactions(path: Path, *, verify_crc: bool = True) -> Iterator[Transaction]:
    """The complete transactions of a file, in sequence. Raises as `scan` does."""
    with Groups(path, verify_crc=verify_crc) as groups:
        for start, end, timestamp, domain, server_id, seq, flags, xid in groups:
            yield Transaction(
                gtid=Gtid(domain, server_id, seq),
                start=start,
                end=end,
                timestamp=datetime.fromtimestamp(timestamp, UTC),
                standalone=bool(flags & GROUP_STANDALONE),
                is_ddl=bool(flags & GROUP_DDL),
                xa_prepared=xid if flags & GROUP_XA_PREPARED else None,
                xa_completed=xid if flags & GROUP_XA_COMPLETED else None,
            )


def _utc(timestamp: int | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
