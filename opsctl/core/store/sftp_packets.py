"""What packets of the SFTP protocol, version 3, hold (draft-ietf-secsh-filexfer-02, sections 3 to 7)."""

import os
import stat
import struct
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """Types of packets."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    STAT = 17
    RENAME = 18
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200


class Status(IntEnum):
    """What a server answers; OpenSSH says FAILURE for all that has no code of its own: full, exists, not empty."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4


class Open(IntEnum):
    """Flags of OPEN."""

    READ = 0x01
    WRITE = 0x02
    CREATE = 0x08
    TRUNCATE = 0x10
    EXCLUSIVE = 0x20


@dataclass(frozen=True)
class Attributes:
    """Of a file: its size in bytes, its mode, and when it was last written (seconds since the epoch, UTC)."""

    size: int
    mode: int
    mtime: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)


def string(value: str | bytes) -> bytes:
    """A string as a packet holds it: its length in bytes, then itself."""
    data = os.fsencode(value)
    return struct.pack(">I", len(data)) + data


class MalformedError(Exception):
    """A packet ends before what it should hold."""


class Body:
    """What a packet holds, read from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next bytes. Raises MalformedError when there are not so many."""
        end = self._at + size
        if end > len(self._data):
            raise MalformedError
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def u32(self) -> int:
        """The next number of four bytes."""
        return int.from_bytes(self.take(4))

    def u64(self) -> int:
        """The next number of eight bytes."""
        return int.from_bytes(self.take(8))

    def string(self) -> bytes:
        """The next string."""
        return self.take(self.u32())

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def extensions(self) -> list[str]:
        """The names of extensions, up to the end."""
        found = []
        while self._at < len(self._data):
            found.append(self.string().decode(errors="replace"))
            self.string()  # its version
        return found

    def names(self) -> list[tuple[str, Attributes]]:
        """Names with their attributes, of a directory."""
        found = []
        for _ in range(self.u32()):
            name = os.fsdecode(self.string())
            self.string()  # the line that `ls -l` would print
            found.append((name, self.attributes()))
        return found

    def attributes(self) -> Attributes:
        """The attributes of a file; what is not said is 0."""
        flags = self.u32()
        size = self.u64() if flags & 0x01 else 0
        self.take(8 if flags & 0x02 else 0)  # owner and group
        mode = self.u32() if flags & 0x04 else 0
        self.take(4 if flags & 0x08 else 0)  # last read
        mtime = self.u32() if flags & 0x08 else 0
        for _ in range(2 * self.u32() if flags & 0x80000000 else 0):
            self.string()
        return Attributes(size, mode, mtime)
