"""Watches an mbstream pass by: which files it holds, and whether it ended where its writer meant it to.

A producer that is killed leaves a stream that everything downstream takes for whole. Format: chunks of the magic
XBSTCK01, flags (1 byte), type (1), length of the path (4), path, and then by type: P (payload) length (8), offset
(8), CRC32 (4), bytes; E (end of that file) nothing; S (seek) offset (8); D (remove) nothing; R (rename) length (4),
new path. Integers are little-endian. Source: extra/mariabackup/xbstream.h and xbstream_write.cc of MariaDB.
"""

import struct
from dataclasses import dataclass

from opsctl.core.errors import OpsError

MAGIC = b"XBSTCK01"
MAX_PATH = 512  # FN_REFLEN
MAX_KEPT = 1 << 20
_FIXED = 14
_MORE = {b"P": 20, b"E": 0, b"S": 8, b"D": 0, b"R": 4}


class StreamError(OpsError):
    """The stream is no mbstream, or ends before its end."""


@dataclass(frozen=True)
class StreamContent:
    """The files in a stream, and the bytes of those that were kept, by path."""

    files: frozenset[str]
    kept: dict[str, bytes]


class StreamWatch:
    """An observer of a pipeline's bytes; flat memory, and little work for a stream, whose chunks are large.

    `keep` are the files whose content is wanted: by path, or by suffix when they begin with a dot.
    """

    def __init__(self, keep: frozenset[str] = frozenset()) -> None:
        self._keep = keep
        self._header = bytearray()
        self._wanted = _FIXED
        self._payload = 0
        self._keeping: bytearray | None = None
        self._open: set[str] = set()
        self._files: set[str] = set()
        self._kept: dict[str, bytearray] = {}

    def __call__(self, chunk: memoryview) -> None:
        """Look at the next bytes. Raises StreamError when they are no mbstream."""
        position, end = 0, len(chunk)
        while position < end:
            if self._payload:
                taken = min(self._payload, end - position)
                if self._keeping is not None:
                    self._keeping += chunk[position : position + taken]
                self._payload -= taken
            else:
                taken = min(self._wanted - len(self._header), end - position)
                self._header += chunk[position : position + taken]
                if len(self._header) == self._wanted:
                    self._read_header()
            position += taken

    def finish(self) -> StreamContent:
        """What the stream held. Raises StreamError when it ended inside a chunk or a file, or held nothing."""
        if self._payload or self._header:
            raise StreamError("the database stream ends in the middle of a chunk: its writer was cut off")
        if self._open:
            raise StreamError(f"the database stream ends before {min(self._open)} does: its writer was cut off")
        if not self._files:
            raise StreamError("the database stream is empty")
        return StreamContent(frozenset(self._files), {name: bytes(data) for name, data in self._kept.items()})

    def _read_header(self) -> None:
        header = self._header
        kind = bytes(header[9:10])
        length = struct.unpack_from("<I", header, 10)[0]
        if not header.startswith(MAGIC) or kind not in _MORE or length >= MAX_PATH:
            raise StreamError("the database stream is no mbstream, or one of an unknown kind")
        whole = _FIXED + length + _MORE[kind]
        if kind == b"R" and len(header) >= whole:
            renamed = struct.unpack_from("<I", header, whole - 4)[0]
            if renamed >= MAX_PATH:
                raise StreamError("the database stream renames a file to an impossible name")
            whole += renamed
        if len(header) < whole:
            self._wanted = whole
            return
        self._take(kind, _text(header[_FIXED : _FIXED + length]), header[_FIXED + length :])
        self._header = bytearray()
        self._wanted = _FIXED

    def _take(self, kind: bytes, path: str, rest: bytearray) -> None:
        if kind == b"P":
            self._open.add(path)
            self._payload = struct.unpack_from("<Q", rest)[0]
            self._keeping = self._place_for(path)
        elif kind == b"E":
            self._open.discard(path)
            self._files.add(path)
        elif kind == b"D":
            self._files.discard(path)
        elif kind == b"R":
            self._files.discard(path)
            self._files.add(_text(rest[4:]))

    def _place_for(self, path: str) -> bytearray | None:
        if path not in self._keep and not any(path.endswith(suffix) for suffix in self._keep if suffix[0] == "."):
            return None
        place = self._kept.setdefault(path, bytearray())
        if len(place) + self._payload > MAX_KEPT:
            raise StreamError(f"{path} in the database stream is larger than such a file can be")
        return place


def _text(path: bytearray) -> str:
    return path.decode("utf-8", "surrogateescape")
