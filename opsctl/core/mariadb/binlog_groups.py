"""Transactions in a binary log: which events begin, continue and end one, and what stands between them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from opsctl.core.mariadb.binlog_events import (
    FLAG_ARTIFICIAL,
    FLAG_IGNORABLE,
    HEADER_SIZE,
    BinlogError,
    EncryptedBinlogError,
    Events,
    EventType,
)
from opsctl.core.mariadb.gtid import BinlogState, Gtid

GROUP_STANDALONE = 0x01  # no COMMIT event ends it: a statement does
GROUP_HAS_COMMIT_ID = 0x02
GROUP_DDL = 0x20
GROUP_XA_PREPARED = 0x40
GROUP_XA_COMPLETED = 0x80

_GTID = struct.Struct("<QIB")  # sequence, domain, flags; then, by the flags, commit id and XA name
_GTID_LENGTH = HEADER_SIZE + 19
_COMMIT_ID_SIZE = 8
_XID = struct.Struct("<IBB")  # format id, lengths of the two parts
_GTID_LIST_COUNT = struct.Struct("<I")  # the upper four bits are flags
_GTID_LIST_ENTRY = struct.Struct("<IIQ")  # domain, server id, sequence
_QUERY = struct.Struct("<IIBHH")  # thread, seconds, length of the database name, error, length of the status variables
_ROTATE_POSITION_SIZE = 8
_INCIDENT = struct.Struct("<HB")  # number, length of the message

_PART, _BEGIN, _QUERY_EVENT, _END, _BETWEEN, _UNKNOWN = range(6)
# Parts of a transaction: variables of a statement, pieces of LOAD DATA, table maps, rows in all versions (plain,
# compressed, partial), annotations. What only MySQL writes is unknown.
_PARTS = (5, 9, 10, 11, 13, 14, 17, 18, *range(19, 26), 29, *range(30, 33), 160, *range(166, 173))
_MEMBERS: dict[int, tuple[int, ...]] = {
    _PART: _PARTS,
    _BEGIN: (EventType.GTID,),
    _QUERY_EVENT: (EventType.QUERY, EventType.QUERY_COMPRESSED),
    _END: (EventType.XID, EventType.XA_PREPARE),
    _BETWEEN: (
        *(EventType.STOP, EventType.ROTATE, EventType.INCIDENT, EventType.BINLOG_CHECKPOINT),
        *(EventType.GTID_LIST, EventType.START_ENCRYPTION),
    ),
}
_ROLES = bytes(next((role for role, members in _MEMBERS.items() if kind in members), _UNKNOWN) for kind in range(256))


@dataclass(frozen=True, slots=True)
class Xid:
    """The name of an XA transaction, as in `XA PREPARE gtrid, bqual, format_id`."""

    format_id: int
    gtrid: bytes
    bqual: bytes


@dataclass(frozen=True, slots=True)
class Incident:
    """The server says at `offset` (bytes) that it could not write everything: what was lost is unknown."""

    offset: int
    number: int
    message: str


class Group(NamedTuple):
    """One complete transaction: offsets of its GTID event and after its last event, and what the GTID event says."""

    start: int
    end: int
    timestamp: int
    domain: int
    server_id: int
    seq: int
    flags: int
    xid: Xid | None


class Groups:
    """The complete transactions of a file, in sequence. Iterate once; the attributes are then what the file says.

    `first_state`: the GTID list at the file's head, `head_end` the offset after it. `rotate_to` and `stopped`: how the
    server closed the file, if it did, and `closed_at` when (UTC seconds). `open_at`: where a transaction begins that
    the file does not complete.
    """

    def __init__(self, path: Path, *, verify_crc: bool = True, end: int | None = None) -> None:
        """Raises as Events does."""
        self._events = Events(path, verify_crc=verify_crc, end=end)
        self.format = self._events.format
        self.size = self._events.size
        self.first_state = BinlogState()
        self.head_end = 0
        self.rotate_to: str | None = None
        self.stopped = False
        self.closed_at: int | None = None
        self.open_at: int | None = None
        self.incidents: list[Incident] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()

    def __iter__(self) -> Iterator[Group]:
        events, roles = self._events, _ROLES
        start = -1  # of the transaction that is being read
        head = (0, 0, 0, 0, 0)
        flags = 0
        xid: Xid | None = None
        for index, timestamp, kind, server_id, length, event_flags in events:
            role = roles[kind]
            if role == _QUERY_EVENT:
                role = _END if flags & GROUP_STANDALONE or self._is_commit(index, length) else _PART
            if role == _PART:
                if start < 0:
                    raise events.error(f"an event of type {kind} belongs to no transaction", index)
            elif role == _END:
                if start < 0:
                    raise events.error(f"an event of type {kind} ends no transaction", index)
                yield Group(start, events.base + index + length, *head, xid)
                start = -1
            elif role == _BEGIN:
                self._check_beginning(start, index, length)
                seq, domain, flags = _GTID.unpack_from(events.window, index + HEADER_SIZE)
                head = (timestamp, domain, server_id, seq, flags)
                xid = self._xid(index, length, flags) if flags & (GROUP_XA_PREPARED | GROUP_XA_COMPLETED) else None
                start = events.base + index
            else:
                self._between(start, index, kind, length, event_flags)
                if self.closed_at is None and (self.stopped or self.rotate_to is not None):
                    self.closed_at = timestamp
        self.open_at = start if start >= 0 else None
        if not self.head_end:
            raise BinlogError("the file ends before its GTID list", path=events.path, offset=self.size)

    def _check_beginning(self, open_at: int, index: int, length: int) -> None:
        if open_at >= 0:
            raise self._events.error(f"a transaction begins before the one at {open_at} has ended", index)
        if length < _GTID_LENGTH + self._events.trailer:
            raise self._events.error(f"a GTID event cannot be {length} bytes long", index)
        if not self.head_end:
            raise self._events.error("a transaction begins before the file's GTID list", index)
        self._check_open(index)

    def _check_open(self, index: int) -> None:
        if self.stopped or self.rotate_to is not None:
            raise self._events.error("an event follows the one that closed the file", index)

    def _is_commit(self, index: int, length: int) -> bool:
        """Whether the query at `index` is the COMMIT, or the ROLLBACK, that ends a transaction."""
        window, body, end = self._events.window, index + HEADER_SIZE, index + length - self._events.trailer
        if not window.endswith((b"COMMIT", b"ROLLBACK"), body + _QUERY.size, end):
            return False
        _, _, database, _, variables = _QUERY.unpack_from(window, body)
        text = body + _QUERY.size + variables + database + 1
        return bytes(window[text:end]) in (b"COMMIT", b"ROLLBACK")

    def _xid(self, index: int, length: int, flags: int) -> Xid:
        body = self._events.body(index, length)
        offset = _GTID.size + (_COMMIT_ID_SIZE if flags & GROUP_HAS_COMMIT_ID else 0)
        if offset + _XID.size > len(body):
            raise self._events.error("a GTID event is too short for its XA transaction", index)
        format_id, gtrid_length, bqual_length = _XID.unpack_from(body, offset)
        middle = offset + _XID.size + gtrid_length
        if middle + bqual_length > len(body):
            raise self._events.error("a GTID event is too short for its XA transaction", index)
        return Xid(format_id, body[offset + _XID.size : middle], body[middle : middle + bqual_length])

    def _between(self, open_at: int, index: int, kind: int, length: int, flags: int) -> None:
        """Take in an event that belongs to no transaction."""
        events = self._events
        if flags & FLAG_ARTIFICIAL or kind == EventType.HEARTBEAT:
            return
        if flags & FLAG_IGNORABLE:  # decrypting, the server so marks the event that says "encrypted from here"
            return
        if kind == EventType.START_ENCRYPTION:
            raise EncryptedBinlogError(
                "the binary log is encrypted",
                path=events.path,
                offset=events.base + index,
                hint="fetch it from the server: mariadb-binlog --read-from-remote-server --raw",
            )
        if _ROLES[kind] == _UNKNOWN:
            raise events.error(f"an event of the unknown type {kind}", index, hint="is there a newer opsctl?")
        if open_at >= 0:
            raise events.error(f"an event of type {kind} inside the transaction that begins at {open_at}", index)
        self._check_open(index)
        self._read_between(index, kind, length)

    def _read_between(self, index: int, kind: int, length: int) -> None:
        events = self._events
        if kind == EventType.STOP:
            self.stopped = True
        elif kind == EventType.ROTATE:
            self.rotate_to = events.body(index, length)[_ROTATE_POSITION_SIZE:].decode("utf-8", "surrogateescape")
        elif kind == EventType.GTID_LIST:
            if self.head_end:
                raise events.error("a second GTID list", index)
            self.first_state = self._gtid_list(index, length)
            self.head_end = events.base + index + length
        elif kind == EventType.INCIDENT:
            body = events.body(index, length)
            if len(body) < _INCIDENT.size:
                raise events.error(f"an incident event cannot be {length} bytes long", index)
            number, size = _INCIDENT.unpack_from(body)
            message = body[_INCIDENT.size : _INCIDENT.size + size].decode("utf-8", "replace")
            self.incidents.append(Incident(events.base + index, number, message))

    def _gtid_list(self, index: int, length: int) -> BinlogState:
        body = self._events.body(index, length)
        count = _GTID_LIST_COUNT.unpack_from(body)[0] & 0x0FFFFFFF if len(body) >= _GTID_LIST_COUNT.size else -1
        entries = body[_GTID_LIST_COUNT.size : _GTID_LIST_COUNT.size + count * _GTID_LIST_ENTRY.size]
        if count < 0 or len(entries) != count * _GTID_LIST_ENTRY.size:
            raise self._events.error(f"a list of {count} GTIDs does not fit into an event of {length} bytes", index)
        return BinlogState.of([Gtid(*entry) for entry in _GTID_LIST_ENTRY.iter_unpack(entries)])
