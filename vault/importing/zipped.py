"""A zip as an export. It comes from anywhere, so nothing in it is believed: it is judged before a byte is unpacked.

Nothing is ever unpacked under a name from the zip; entries are read as streams, and their CRC is checked at the end.
"""

import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

from opsctl.core.errors import IntegrityError

MAX_ENTRIES = 200_000
MAX_TOTAL = 64 << 30
# Deflate reaches 1032; photos reach 1.1 and chats 20.
MAX_RATIO = 200
SMALL = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_IGNORED = ("__MACOSX/",)


class HostileZipError(IntegrityError):
    """A zip that no phone has written."""

    def __init__(self, why: str, where: str) -> None:
        super().__init__(f"this zip is refused: {why}", where=where, hint="get the export from the phone again")


class ZipSource:
    """The files of a zip. Raises HostileZipError for one that cannot be what it says."""

    def __init__(self, path: Path) -> None:
        self._where = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise HostileZipError(str(error), self._where) from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        try:
            self._judge(self._zip.infolist(), path.stat().st_size)
        except HostileZipError:
            self._zip.close()
            raise

    def _judge(self, entries: list[zipfile.ZipInfo], size: int) -> None:
        if len(entries) > MAX_ENTRIES:
            raise HostileZipError(f"it has {len(entries)} entries", self._where)
        for entry in entries:
            self._judge_entry(entry, size)
            if entry.is_dir() or entry.filename.startswith(_IGNORED):
                continue
            if entry.filename in self._entries:
                raise HostileZipError(f"it has '{entry.filename}' twice", self._where)
            self._entries[entry.filename] = entry
        total = sum(entry.file_size for entry in entries)
        if total > MAX_TOTAL:
            raise HostileZipError(f"it would unpack to {total} bytes", self._where)
        if sum(entry.compress_size for entry in entries) > size:
            raise HostileZipError("its entries overlap", self._where)

    def _judge_entry(self, entry: zipfile.ZipInfo, size: int) -> None:
        name = entry.filename
        parts = name.replace("\\", "/").split("/")
        mode = entry.external_attr >> 16
        if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":") or "\0" in name:
            raise HostileZipError(f"'{name[:80]}' leads out of it", self._where)
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise HostileZipError(f"'{name[:80]}' is a link or device", self._where)
        if entry.flag_bits & _ENCRYPTED:
            raise HostileZipError(f"'{name[:80]}' is encrypted", self._where)
        if entry.compress_type not in _METHODS:
            raise HostileZipError(f"'{name[:80]}' is packed in a way that phones do not use", self._where)
        if entry.compress_size > size or entry.file_size < 0:
            raise HostileZipError(f"'{name[:80]}' is larger than the zip", self._where)
        if entry.file_size > SMALL and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise HostileZipError(f"'{name[:80]}' would unpack to {entry.file_size} bytes", self._where)

    def sizes(self) -> Mapping[str, int]:
        """Every file with the size that it has unpacked."""
        return {name: entry.file_size for name, entry in self._entries.items()}

    def open(self, name: str) -> BinaryIO:
        """Read a file; never more than its size, and its CRC is checked at its end."""
        try:
            return cast(BinaryIO, Checked(self._zip.open(self._entries[name]), self._where))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise HostileZipError(str(error), self._where) from error

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()


class Checked:
    """A file in a zip whose faults are said in words."""

    def __init__(self, stream: object, where: str) -> None:
        self._stream = cast(BinaryIO, stream)
        self._where = where

    def read(self, size: int = -1) -> bytes:
        """Read bytes. Raises HostileZipError when they are not what the zip says."""
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, EOFError, ValueError, OSError, zlib.error) as error:
            raise HostileZipError(f"it is damaged: {error}", self._where) from error

    def __enter__(self) -> "Checked":
        return self

    def __exit__(self, *raised: object) -> None:
        self._stream.close()
