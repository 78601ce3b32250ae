"""Small files that are replaced: durably, whole or not at all, and without leftovers."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.room import FULL, full
from opsctl.core.store.directory import sync_directory


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, making its directory. What a killed run left of it, the next one overwrites.

    Two writers of the same path have to be kept apart by the caller: see `locked_directory`. Raises OpsError.
    """
    fresh = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            failpoint("state.before_write")
            file.write(data)
            file.flush()
            failpoint("state.before_fsync")
            os.fsync(descriptor)
        failpoint("state.before_replace")
        fresh.replace(path)
        failpoint("state.after_replace")
        sync_directory(path.parent)
    except OSError as error:
        raise unwritable(error, path) from error


@contextlib.contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Keep other processes out of the block that lock the same directory; made if it is not there. Raises OpsError."""
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unwritable(error, directory) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def unwritable(error: OSError, path: Path) -> OpsError:
    """The error for a file of opsctl's own that the disk does not take."""
    if error.errno in FULL:
        return full(path.parent, f"{path.name} cannot be written")
    return OpsError(
        f"{path.name} cannot be written: {error.strerror}",
        where=str(path.parent),
        hint=f"look at its owner and mode: ls -ld {path.parent}",
    )
