"""A private place for decrypted binary logs: in memory, so that no plain text touches a disk.

A file that would not fit into memory goes to a private directory below `machine.state_dir` instead: the one exception,
chosen over shipping nothing, and removed as soon as the file is sealed. Memory counts as enough when the file takes at
most half of what the kernel calls available, since the customer's database runs on the same machine.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.machine import MachineSection
from opsctl.core.room import needing_room

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made below it
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


@contextlib.contextmanager
def private_space(machine: MachineSection, size: int) -> Iterator[Path]:
    """A fresh directory of mode 0700 with room for `size` bytes, removed with all it holds when the block ends.

    What killed runs left is removed first. Raises OpsError when neither memory nor disk has the room.
    """
    bases = memory_base(), machine.state_dir / "fetch"
    for base in bases:
        remove_leftovers(base)
    roomy = next((base for base in bases if room_in(base) >= size), None)
    if roomy is None:
        raise OpsError(
            f"there is no room for a binary log of {size} bytes, in memory or on disk",
            where=str(machine.state_dir),
            hint="make room below machine.state_dir: df -h",
        )
    with needing_room(roomy.parent):
        directory, descriptor = _make(roomy)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
        os.close(descriptor)


def memory_base() -> Path:
    """Where this user's memory-backed directories lie."""
    return SHARED_MEMORY / f"opsctl-{os.geteuid()}"


def room_in(base: Path) -> int:
    """Bytes that a file below `base` may take: on disk what is free, in memory at most half of what is available."""
    in_memory = base.parent == SHARED_MEMORY
    if in_memory and not SHARED_MEMORY.is_dir():
        return 0
    place = base
    while not place.exists():
        place = place.parent
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    if in_memory:
        available = _AVAILABLE.search(Path("/proc/meminfo").read_text())
        return min(free, int(available.group(1)) * 1024 // 2 if available else 0)
    return free


def remove_leftovers(base: Path) -> None:
    """Remove the directories below `base` whose makers are gone: nobody holds their lock any more."""
    if not base.exists():
        return
    _check_private(base)
    with _locked(base, fcntl.LOCK_EX):
        for directory in list(base.iterdir()):
            # BlockingIOError: its maker lives; FileNotFoundError: and has just removed it.
            with (
                contextlib.suppress(BlockingIOError, FileNotFoundError),
                _locked(directory, fcntl.LOCK_EX | fcntl.LOCK_NB),
            ):
                # A fetching program that outlived its maker may still add a file: then the next run removes it.
                shutil.rmtree(directory, ignore_errors=True)


def _make(base: Path) -> tuple[Path, int]:
    """Make a directory and take its lock, under the lock of `base`, so that it is never seen without."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(base)
    with _locked(base, fcntl.LOCK_EX):
        directory = Path(tempfile.mkdtemp(dir=base))
        failpoint("ship.space_made")
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return directory, descriptor


def _check_private(base: Path) -> None:
    """Raise OpsError unless `base` is this user's alone: below /dev/shm everybody can make directories."""
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o77:
        raise OpsError(
            "others may read or write where decrypted binary logs would lie", where=str(base), hint=f"rm -r {base}"
        )


@contextlib.contextmanager
def _locked(directory: Path, how: int) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
