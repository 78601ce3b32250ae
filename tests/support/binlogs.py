"""Binary logs made event by event, for tests that need a timestamp, a server or a fault that no server would write."""

import struct
import zlib
from pathlib import Path
from typing import Self

from opsctl.core.mariadb.gtid import BinlogState, Gtid, GtidPosition

QUERY, STOP, ROTATE, FORMAT_DESCRIPTION, XID, INCIDENT = 2, 3, 4, 15, 16, 26
TABLE_MAP, CHECKPOINT, GTID, GTID_LIST, START_ENCRYPTION = 19, 161, 162, 163, 164


class BinlogBuilder:
    """A file in the making. Each method appends valid events; `event` appends whatever it is told to."""

    def __init__(
        self,
        state: BinlogState | None = None,
        *,
        version: str = "10.11.19-MariaDB-log",
        checksums: bool = True,
        at: int = 1_700_000_000,
        flags: int = 0,
    ) -> None:
        self.content = bytearray(b"\xfebin")
        self.checksums = checksums
        self.now = at
        body = struct.pack("<H50sIB", 4, version.encode(), at, 19) + bytes(171) + bytes([checksums])
        self._append(FORMAT_DESCRIPTION, body, 1, flags, checksummed=True)
        if state is not None:
            self.gtid_list(state)

    def event(self, kind: int, body: bytes = b"", *, server_id: int = 1, flags: int = 0) -> Self:
        self._append(kind, body, server_id, flags, checksummed=self.checksums)
        return self

    def gtid_list(self, state: BinlogState | GtidPosition) -> Self:
        gtids = list(state)
        entries = b"".join(struct.pack("<IIQ", gtid.domain, gtid.server_id, gtid.seq) for gtid in gtids)
        return self.event(GTID_LIST, struct.pack("<I", len(gtids)) + (entries or bytes(2)))

    def begin(self, gtid: str, *, at: int | None = None, flags: int = 0, extra: bytes = bytes(6)) -> Self:
        """A GTID event; `at` (UTC seconds) is from now on the time of all events."""
        self.now = self.now if at is None else at
        parsed = Gtid.parse(gtid)
        body = struct.pack("<QIB", parsed.seq, parsed.domain, flags) + extra
        return self.event(GTID, body, server_id=parsed.server_id)

    def query(self, text: str, *, database: str = "shop") -> Self:
        body = struct.pack("<IIBHH", 7, 0, len(database), 0, 0) + database.encode() + b"\0" + text.encode()
        return self.event(QUERY, body)

    def transaction(self, gtid: str, *, at: int | None = None, flags: int = 0, extra: bytes = bytes(6)) -> Self:
        self.begin(gtid, at=at, flags=flags, extra=extra)
        return self.query("INSERT INTO orders VALUES (1)").event(XID, bytes(8))

    def rotate(self, following: str) -> Self:
        return self.event(ROTATE, struct.pack("<Q", 4) + following.encode())

    def stop(self) -> Self:
        return self.event(STOP)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.content)
        return path

    def _append(self, kind: int, body: bytes, server_id: int, flags: int, *, checksummed: bool) -> None:
        length = 19 + len(body) + 4 * checksummed
        end = (len(self.content) + length) & 0xFFFFFFFF
        clean = flags & ~1 if kind == FORMAT_DESCRIPTION else flags
        signed = struct.pack("<IBIIIH", self.now, kind, server_id, length, end, clean) + body
        written = struct.pack("<IBIIIH", self.now, kind, server_id, length, end, flags) + body
        self.content += written + (struct.pack("<I", zlib.crc32(signed)) if checksummed else b"")
