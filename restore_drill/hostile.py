"""Reading and writing beside sandboxed programs: in a directory they may write, a name may be anything, a link above
all."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from opsctl.core.errors import IntegrityError

_SMALL = 1 << 20


def read_small(path: Path) -> str:
    """Read a regular file of at most 1 MiB as text. Raises IntegrityError when it is none, or is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise IntegrityError(f"{path.name} is not there: {error.strerror}", where=str(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _SMALL:
            raise IntegrityError(f"{path.name} is no small file", where=str(path))
        return file.read(_SMALL).decode(errors="replace")


def read_tail(path: Path, limit: int = 16384) -> str:
    """The end of a log, without control characters; empty when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return ""
        file.seek(max(0, found.st_size - limit))
        text = file.read(limit).decode(errors="replace")
    return "".join(char for char in text if char.isprintable() or char == "\n")


@contextlib.contextmanager
def new_file(path: Path, *, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Write a file anew: whatever lies there is unlinked first, never written through."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        yield file


@contextlib.contextmanager
def opened_socket(path: Path) -> Iterator[str]:
    """A name under which exactly this socket is reached while the block runs. Raises OSError when it is no socket."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), str(path))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened_directory(path: Path) -> Iterator[int]:
    """A descriptor of exactly this directory, for `dir_fd`. Raises OSError when it is none, or a link to one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
