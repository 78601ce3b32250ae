"""Rewrites an mbstream chunk by chunk: what is not changed stays as it was, in the order in which it was written.

Format: see backup/mbstream.py. A chunk of payload carries the CRC32 of its bytes.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from opsctl.core.errors import IntegrityError

MAGIC = b"XBSTCK01"
_HEAD = struct.Struct("<8sBcI")
_PAYLOAD = struct.Struct("<QQI")


@dataclass(frozen=True)
class Chunk:
    """One chunk: of kind P (payload at an offset in bytes), E (end of the file) or another, whose `rest` is kept."""

    flags: int
    kind: bytes
    path: str
    offset: int = 0
    data: bytes = b""
    rest: bytes = b""

    @property
    def name(self) -> str:
        """The path below the datadir."""
        return self.path.removeprefix("./")

    def encoded(self) -> bytes:
        """The chunk as it stands in a stream."""
        path = self.path.encode(errors="surrogateescape")
        head = _HEAD.pack(MAGIC, self.flags, self.kind, len(path)) + path
        if self.kind == b"P":
            return head + _PAYLOAD.pack(len(self.data), self.offset, zlib.crc32(self.data)) + self.data
        return head + self.rest


Edit = Callable[[Iterator[Chunk]], Iterator[Chunk]]


def rewrite(source: Path, target: Path, edit: Edit) -> None:
    """Write what `edit` makes of a stream's chunks. Raises IntegrityError when it is no mbstream."""
    with source.open("rb") as stream, target.open("wb") as out:
        for chunk in edit(read_chunks(stream)):
            out.write(chunk.encoded())


def read_chunks(stream: IO[bytes]) -> Iterator[Chunk]:
    """Read a stream."""
    while head := stream.read(_HEAD.size):
        magic, flags, kind, length = _HEAD.unpack(head)
        path = stream.read(length).decode(errors="surrogateescape")
        if magic != MAGIC:
            raise IntegrityError(f"there is no mbstream at offset {stream.tell() - len(head) - length}")
        if kind == b"P":
            size, offset, _ = _PAYLOAD.unpack(stream.read(_PAYLOAD.size))
            yield Chunk(flags, kind, path, offset, stream.read(size))
        elif kind == b"R":
            new = stream.read(4)
            yield Chunk(flags, kind, path, rest=new + stream.read(int.from_bytes(new, "little")))
        else:
            yield Chunk(flags, kind, path, rest=stream.read(8 if kind == b"S" else 0))


def without(wanted: Callable[[str], bool]) -> Edit:
    """Leave out the files whose name is `wanted`."""
    return lambda chunks: (chunk for chunk in chunks if not wanted(chunk.name))


def replaced(name: str, change: Callable[[bytes], bytes]) -> Edit:
    """Change the content of one small file, which is written in one chunk."""

    def edit(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            if chunk.name == name and chunk.kind == b"P" and chunk.data:
                yield replace(chunk, data=change(chunk.data))
            else:
                yield chunk

    return edit


def zeroed(wanted: Callable[[str], bool], start: int) -> Edit:
    """Fill the files whose name is `wanted` with zeros from an offset (bytes) on."""

    def edit(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            if wanted(chunk.name) and chunk.kind == b"P":
                kept = min(max(0, start - chunk.offset), len(chunk.data))
                yield replace(chunk, data=chunk.data[:kept] + bytes(len(chunk.data) - kept))
            else:
                yield chunk

    return edit
