"""Where hosts live while they run, and how what dead ones left is found and removed.

A place is a directory `/tmp/o-host-…`, with a control group of the same name in each hierarchy of systemd's. Whoever
made it holds the lock in it: a place whose lock is free belongs to nobody any more.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PREFIX = "o-host-"
_ROOT = Path("/tmp")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def control_groups(name: str) -> list[Path]:
    """The control groups of a place: one where there is one hierarchy, two where systemd's own lies beside the new."""
    if (_CONTROL_GROUPS / "cgroup.controllers").exists():
        return [_CONTROL_GROUPS / name]
    hierarchies = (_CONTROL_GROUPS / "systemd", _CONTROL_GROUPS / "unified")
    return [hierarchy / name for hierarchy in hierarchies if hierarchy.is_dir()]


@contextlib.contextmanager
def making() -> Iterator[None]:
    """Nobody else makes or sweeps places meanwhile."""
    with (_ROOT / "o-hosts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def new_place() -> tuple[Path, IO[str]]:
    """A place and its lock, which is held until it is closed or this process dies. Call it while `making`."""
    place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_ROOT))
    lock = (place / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    for group in control_groups(place.name):
        group.mkdir()
    return place, lock


def sweep() -> None:
    """Remove the places of the dead. Call it while `making`."""
    for place in _ROOT.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(place)


def remove(place: Path) -> None:
    """Remove a place in which nothing runs any more."""
    for group in control_groups(place.name):
        for directory, _, _ in os.walk(group, topdown=False):
            os.rmdir(directory)
    shutil.rmtree(place)
