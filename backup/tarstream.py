"""Makes a tar archive of found files as it is read, in flat memory, hashing each file on the way.

POSIX pax format (IEEE Std 1003.1-2001), which tar, bsdtar and Python read; names keep whatever bytes they have.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import Any

from backup.entries import Entries
from backup.filelist import EntryType, FileEntry
from backup.tree import Found
from opsctl.core.errors import OpsError

_TYPES: dict[EntryType, bytes] = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
}
_NS = 1_000_000_000


@dataclass
class _Open:
    """The file being read: what is left of it, and what has been hashed."""

    found: Found
    entry: FileEntry
    left: int
    hash: Any
    short: bool = False


class TarStream:
    """A tar archive as a pipeline's source.

    A file that becomes shorter while it is read is filled up with zeros; `changed` counts those that did, or that were
    written to meanwhile. `note` receives each entry, in the order of the archive, once it is complete.
    """

    def __init__(self, found: Iterable[Found], note: Callable[[FileEntry], None]) -> None:
        self._found = iter(found)
        self._note = note
        self._pending = memoryview(b"")
        self._file: _Open | None = None
        self._entries = Entries()
        self._ended = False
        self.changed = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer; 0 at the end. Raises OpsError for a file that cannot be read."""
        filled = 0
        while filled < len(buffer):
            if self._pending:
                count = min(len(self._pending), len(buffer) - filled)
                buffer[filled : filled + count] = self._pending[:count]
                self._pending = self._pending[count:]
            elif self._file is not None:
                count = self._read_file(self._file, buffer[filled:])
            elif self._next():
                continue
            else:
                break
            filled += count
        return filled

    def close(self) -> None:
        """Close the file that is being read, if any."""
        if self._file is not None:
            os.close(self._file.found.descriptor)
            self._file = None

    def _next(self) -> bool:
        """Go on to the next entry, or to the archive's end; whether there is more to read."""
        found = next(self._found, None)
        if found is not None:
            self._begin(found)
            return True
        if self._ended:
            return False
        self._ended = True
        self._pending = memoryview(bytes(2 * tarfile.BLOCKSIZE))
        return True

    def _begin(self, found: Found) -> None:
        entry = found.entry or self._entries.of(found)
        if found.type == "file" and entry.type == "hardlink":
            os.close(found.descriptor)
        self._pending = memoryview(_header(entry))
        if entry.type == "file":
            self._file = _Open(found, entry, entry.size, hashlib.sha256())
        else:
            self._note(entry)

    def _read_file(self, file: _Open, buffer: memoryview) -> int:
        if not file.left:
            self._end_file(file)
            return 0
        wanted = buffer[: file.left]
        try:
            count = 0 if file.short else os.readv(file.found.descriptor, [wanted])
        except OSError as error:
            raise OpsError(
                f"{file.found.path} cannot be read: {error.strerror}",
                where=str(file.found.path),
                hint="look at the disk: dmesg",
            ) from error
        if not count:
            file.short = True
            count = len(wanted)
            wanted[:] = bytes(count)
        file.hash.update(wanted[:count])
        file.left -= count
        return count

    def _end_file(self, file: _Open) -> None:
        now, before = os.fstat(file.found.descriptor), file.found.stat
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            self.changed += 1
        self.close()
        self._note(replace(file.entry, sha256=file.hash.hexdigest()))
        self._pending = memoryview(bytes(-file.entry.size % tarfile.BLOCKSIZE))


def _header(entry: FileEntry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type = _TYPES[entry.type]
    info.mode, info.uid, info.gid, info.size = entry.mode, entry.uid, entry.gid, entry.size
    info.mtime = entry.mtime_ns // _NS
    info.linkname = entry.target or ""
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def tar_stream(found: Iterable[Found], note: Callable[[FileEntry], None]) -> AbstractContextManager[TarStream]:
    """A TarStream that is closed at the end of the block."""
    return closing(TarStream(found, note))
