"""Disks that are full: how the system and its programs say so, and the error that says what to do."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError

# tar, zstd, age and Python; MariaDB's programs; InnoDB; SQLite.
_MARKS = ("No space left", "Disk quota exceeded", "errno: 28", "Errcode: 28", "error 28", "isk is full", "isk full")
FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(OpsError):
    """There is no room left on a disk."""


def says_full(text: str) -> bool:
    """Whether a program that failed said that a disk is full."""
    return any(mark in text for mark in _MARKS)


def full(place: Path, what: str) -> DiskFullError:
    """The error for a place without room; `what` could not be done."""
    return DiskFullError(
        f"the disk is full: {what}", where=str(place), hint=f"make room, then run it again: df -h {place}"
    )


@contextlib.contextmanager
def needing_room(place: Path) -> Iterator[None]:
    """Turn what the system says when a disk is full into an error that names the place. Raises DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise full(place, error.strerror or str(error)) from error
