"""File lists: what is in a files archive, one JSON object a line.

`{"path":"etc/nginx/nginx.conf","type":"file","mode":420,"uid":0,"gid":0,"size":1482,"mtime_ns":…,"sha256":"…"}`, in the
order of the archive: by the parts of the path, a directory before what is in it. Paths are relative to the host's `/`;
bytes in them that are no UTF-8 are written as lone surrogates, `\\udc80` to `\\udcff` (PEP 383). `target` is what a
symbolic link says, or the path of the file that a hard link shares; such a link's own size is 0.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from opsctl.core.errors import IntegrityError

EntryType = Literal["file", "directory", "symlink", "hardlink"]
TYPES = ("file", "directory", "symlink", "hardlink")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of an archive; `sha256` is that of a file's bytes as archived, and None for what is no file."""

    path: str
    type: EntryType
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    sha256: str | None = None
    target: str | None = None

    def line(self) -> bytes:
        """The entry as a line of a list."""
        fields: dict[str, str | int] = {
            "path": self.path,
            "type": self.type,
            "mode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
        }
        if self.sha256 is not None:
            fields["sha256"] = self.sha256
        if self.target is not None:
            fields["target"] = self.target
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def parse_list(lines: Iterable[bytes], what: str) -> Iterator[FileEntry]:
    """Read a list, line by line; `what` names it in errors. Raises IntegrityError for a line that is no entry."""
    for number, line in enumerate(lines, start=1):
        yield parse_line(line, f"line {number} of {what}")


def parse_line(line: bytes, what: str) -> FileEntry:
    """Read one line of a list. Raises IntegrityError when it is no entry."""
    try:
        return _entry(json.loads(line))
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{what} is no entry of a file list: {error}") from error


def _entry(fields: Any) -> FileEntry:
    if not isinstance(fields, dict) or fields.get("type") not in TYPES:
        raise ValueError("its type is unknown")
    entry = FileEntry(**fields)
    for name in ("mode", "uid", "gid", "size", "mtime_ns"):
        if not isinstance(fields[name], int):
            raise TypeError(f"{name} is no number")
    if not isinstance(fields["path"], str):
        raise TypeError("path is no text")
    return entry


class ListSpool:
    """Collects a list while its archive is made. It stays compressed in memory: no name of a file touches a disk."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(1)
        self._parts: list[bytes] = []
        self.files = 0
        self.size = 0

    def add(self, entry: FileEntry, line: bytes | None = None) -> None:
        """Append one entry, or its line as it stood in another list."""
        self._parts.append(self._deflate.compress(line or entry.line()))
        if entry.type in ("file", "hardlink"):
            self.files += 1
        if entry.type == "file":
            self.size += entry.size

    def finish(self) -> "ListReader":
        """End the list and read it from the beginning, plain."""
        self._parts.append(self._deflate.flush())
        return ListReader(self._parts)


class ListReader:
    """The plain bytes of a spooled list, for a pipeline's source."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = iter(parts)
        self._inflate = zlib.decompressobj()
        self._rest = b""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer; 0 at the end."""
        while not self._inflate.eof:
            if not self._rest:
                self._rest = next(self._parts)
                continue
            data = self._inflate.decompress(self._rest, len(buffer))
            self._rest = self._inflate.unconsumed_tail
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0
