"""The events of a decrypted MariaDB binary log, read in sequence and verified one by one.

A log is four magic bytes and events; an event is a header of 19 bytes, a body, and usually a CRC32. Formats:
https://mariadb.com/docs/server/reference/clientserver-protocol/replication-protocol and MariaDB's sql/log_event.h.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

from opsctl.core.errors import IntegrityError

MAGIC = b"\xfebin"
HEADER_SIZE = 19
CHECKSUM_SIZE = 4

FLAG_IN_USE = 0x01  # on the first event: the server has not closed this file
FLAG_ARTIFICIAL = 0x20  # made up for a replica; no event of the file
FLAG_IGNORABLE = 0x80  # a reader that does not know the type may skip the event

# timestamp (UTC seconds), type, server id, length, offset of the next event (its low 32 bits), flags
_HEADER = struct.Struct("<IBIIIH")
# header, binlog version, server version, created, header length
_FORMAT_DESCRIPTION = struct.Struct("<H50sIB")
# The CRC32 of anything followed by its own CRC32 (little-endian).
_CRC_RESIDUE = 0x2144DF1C
_WINDOW_SIZE = 1 << 20
# MariaDB writes the checksum algorithm into the first event since 5.3.0, MySQL since 5.6.1.
_CHECKSUM_SINCE_MARIADB = (5, 3, 0)
_CHECKSUM_SINCE_MYSQL = (5, 6, 1)


class EventType(IntEnum):
    """Types that end, begin or stand between transactions; all others are parts of one."""

    QUERY = 2
    STOP = 3
    ROTATE = 4
    FORMAT_DESCRIPTION = 15
    XID = 16
    INCIDENT = 26
    HEARTBEAT = 27
    IGNORABLE = 28
    XA_PREPARE = 38
    BINLOG_CHECKPOINT = 161
    GTID = 162
    GTID_LIST = 163
    START_ENCRYPTION = 164
    QUERY_COMPRESSED = 165


# Servers that compute checksums before they know where a transaction will lie (MDEV-31273; 11.8 does) write 0 for the
# offset of the next event into what was gathered in the transaction's cache; these types are never gathered there.
_PLACED = frozenset(
    (
        *(EventType.GTID, EventType.XID, EventType.STOP, EventType.ROTATE),
        *(EventType.GTID_LIST, EventType.BINLOG_CHECKPOINT),
    )
)


class BinlogError(IntegrityError):
    """A binary log is damaged or is not what it should be. `path` and `offset` (bytes) say where."""

    def __init__(self, message: str, *, path: Path, offset: int, hint: str | None = None) -> None:
        super().__init__(message, where=f"{path}, offset {offset}", hint=hint)
        self.path = path
        self.offset = offset


class CutEventError(BinlogError):
    """The file ends inside the event at `offset`."""


class EncryptedBinlogError(BinlogError):
    """The file is as it lies in the server's directory, encrypted: fetch it with `mariadb-binlog --raw`."""


@dataclass(frozen=True, slots=True)
class Format:
    """What the first event says. `created`: when the file was begun. `checksummed`: each event ends with a CRC32."""

    server_version: str
    server_id: int
    created: datetime
    in_use: bool
    checksummed: bool


# (index into the window, timestamp, type, server id, length, flags)
Event = tuple[int, int, int, int, int, int]


class Events:
    """The events after the first, in sequence, each complete, well placed and, with `verify_crc`, of the right CRC.

    Iterate once. An event's bytes are `window[index:index + length]` while it is the current one (an event larger than
    the window has only its beginning there), and its offset in the file is `base + index`. Reads with pread into one
    buffer: memory stays flat, and a file that shrinks meanwhile is an error and no signal, as it would be with mmap.
    """

    def __init__(self, path: Path, *, verify_crc: bool = True, end: int | None = None) -> None:
        """Open `path` and read its first event; `end` (bytes) reads as if the file ended there.

        Raises BinlogError, and OSError if the file cannot be read.
        """
        self.path = path
        self.base = 0
        self._filled = 0
        self._verify_crc = verify_crc
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.size = os.fstat(self._descriptor).st_size
            if end is not None:
                if end > self.size:
                    raise BinlogError(f"the file has only {self.size} bytes", path=path, offset=end)
                self.size = end
            self.window = bytearray(min(self.size, _WINDOW_SIZE))
            self._view = memoryview(self.window)
            self._fill(0)
            self.format, self._first_end = self._read_format()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    @property
    def trailer(self) -> int:
        """Bytes of checksum at the end of each event."""
        return CHECKSUM_SIZE if self.format.checksummed else 0

    def __iter__(self) -> Iterator[Event]:
        unpack, window, view, size = _HEADER.unpack_from, self.window, self._view, self.size
        check_crc = self._verify_crc and self.format.checksummed
        shortest = HEADER_SIZE + self.trailer
        index, base, filled = self._first_end, self.base, self._filled
        while base + index < size:
            if index + HEADER_SIZE > filled:
                index, base, filled = self._refill(base + index)
            timestamp, kind, server_id, length, following, flags = unpack(window, index)
            if length < shortest or (
                following != (base + index + length) & 0xFFFFFFFF and (following or kind in _PLACED)
            ):
                self._check_place(base + index, length, shortest, following, flags)
            if index + length > filled:
                index, base, filled = self._refill_event(base + index, length)
            if check_crc and crc32(view[index : index + length]) != _CRC_RESIDUE:
                self._check_crc(base + index, length)
            yield index, timestamp, kind, server_id, length, flags
            index += length

    def body(self, index: int, length: int) -> bytes:
        """What the current event holds between its header and its checksum."""
        if length > len(self.window):
            raise self.error(f"an event of {length} bytes where a short one belongs", index)
        return bytes(self._view[index + HEADER_SIZE : index + length - self.trailer])

    def error(self, message: str, index: int, *, hint: str | None = None) -> BinlogError:
        """An error about the event at `index`, to be raised."""
        return BinlogError(message, path=self.path, offset=self.base + index, hint=hint)

    def _fill(self, offset: int) -> None:
        self.base, self._filled = offset, 0
        wanted = min(len(self.window), self.size - offset)
        while self._filled < wanted:
            count = os.preadv(self._descriptor, [self._view[self._filled : wanted]], offset + self._filled)
            if count == 0:
                raise CutEventError("the file became shorter while it was read", path=self.path, offset=offset)
            self._filled += count

    def _refill(self, offset: int) -> tuple[int, int, int]:
        if offset + HEADER_SIZE > self.size:
            raise CutEventError(f"the file ends inside an event, at {self.size} bytes", path=self.path, offset=offset)
        self._fill(offset)
        return 0, offset, self._filled

    def _refill_event(self, offset: int, length: int) -> tuple[int, int, int]:
        if offset + length > self.size:
            raise CutEventError(
                f"the file ends at {self.size} bytes, inside an event of {length} bytes", path=self.path, offset=offset
            )
        return self._refill(offset)

    def _check_place(self, offset: int, length: int, shortest: int, following: int, flags: int) -> None:
        if length < shortest:
            raise BinlogError(f"an event cannot be {length} bytes long", path=self.path, offset=offset)
        if following or not flags & FLAG_ARTIFICIAL:
            raise BinlogError(
                f"the event was written to end at {following} and ends at {offset + length}",
                path=self.path,
                offset=offset,
                hint="bytes are missing before it, or its length was changed",
            )

    def _check_crc(self, offset: int, length: int) -> None:
        """Raise unless the event, which may be larger than the window, has the right CRC."""
        crc, position, remaining = 0, offset, length
        while remaining:
            chunk = os.pread(self._descriptor, min(_WINDOW_SIZE, remaining), position)
            if not chunk:
                raise CutEventError("the file became shorter while it was read", path=self.path, offset=offset)
            crc = crc32(chunk, crc)
            position += len(chunk)
            remaining -= len(chunk)
        if crc != _CRC_RESIDUE:
            raise BinlogError("the event's checksum is wrong: its bytes were changed", path=self.path, offset=offset)

    def _read_format(self) -> tuple[Format, int]:
        start = len(MAGIC)
        if self.window[:start] != MAGIC or self._filled < start:
            raise BinlogError("not a MariaDB binary log: it does not begin with fe 62 69 6e", path=self.path, offset=0)
        if self._filled < start + HEADER_SIZE:
            raise CutEventError(f"the file ends at {self.size} bytes, inside its first event", path=self.path, offset=4)
        timestamp, kind, server_id, length, following, flags = _HEADER.unpack_from(self.window, start)
        fixed = start + HEADER_SIZE
        if kind != EventType.FORMAT_DESCRIPTION or length < HEADER_SIZE + _FORMAT_DESCRIPTION.size + CHECKSUM_SIZE + 1:
            raise BinlogError("the first event is no format description", path=self.path, offset=start)
        if following != start + length:
            self._check_place(start, length, length, following, flags)
        if start + length > self._filled:
            raise CutEventError(f"the file ends at {self.size} bytes, inside its first event", path=self.path, offset=4)
        version, name, _, header_size = _FORMAT_DESCRIPTION.unpack_from(self.window, fixed)
        server_version = name.rstrip(b"\0").decode("utf-8", "replace")
        if (version, header_size) != (4, HEADER_SIZE) or not _writes_algorithm(server_version):
            raise BinlogError(
                f"format {version} with headers of {header_size} bytes, by server {server_version}, cannot be read",
                path=self.path,
                offset=start,
                hint="binary logs of MariaDB 10.2 and later can be read",
            )
        end = start + length
        algorithm = self.window[end - CHECKSUM_SIZE - 1]
        if algorithm not in (0, 1):
            raise BinlogError(f"unknown checksum algorithm {algorithm}", path=self.path, offset=start)
        if self._verify_crc:
            self._check_format_crc(start, end)
        found = Format(
            server_version, server_id, datetime.fromtimestamp(timestamp, UTC), bool(flags & FLAG_IN_USE), algorithm == 1
        )
        return found, end

    def _check_format_crc(self, start: int, end: int) -> None:
        """The first event has a CRC whatever the algorithm, taken before the in-use flag was set."""
        content = bytearray(self.window[start:end])
        content[HEADER_SIZE - 2] &= ~FLAG_IN_USE & 0xFF
        if crc32(content) != _CRC_RESIDUE:
            raise BinlogError("the first event's checksum is wrong: its bytes were changed", path=self.path, offset=4)


def _writes_algorithm(server_version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", server_version)
    since = _CHECKSUM_SINCE_MARIADB if "MariaDB" in server_version else _CHECKSUM_SINCE_MYSQL
    return numbers is not None and tuple(map(int, numbers.groups())) >= since
