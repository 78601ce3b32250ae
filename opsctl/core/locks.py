"""Locks that say who holds them, since when, and for what."""

import contextlib
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from opsctl.core.clock import iso, utcnow
from opsctl.core.errors import LockedError, OpsError

POLL_S = 0.2
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    who: str
    pid: int
    since: str
    doing: str


@contextlib.contextmanager
def lock(directory: Path, name: str, *, doing: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` while the block runs.

    It is flock(2) on a file that is never removed, so it ends with its process, however that dies. Raises LockedError,
    which names the holder, when it is still held after `wait_s` seconds; OpsError when there is no place for it.
    """
    path = directory / f"{name}.lock"
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise OpsError(
            f"the lock cannot be made: {error.strerror}",
            where=str(path),
            hint="look at machine.lock_dir, its owner and mode: opsctl doctor",
        ) from error
    try:
        _take(descriptor, path, name, time.monotonic() + wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(_ourselves(doing))).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def held(directory: Path, patterns: Sequence[str]) -> str | None:
    """Say who holds a lock whose name matches one of the patterns (fnmatch), or None; no lock is taken for that.

    Raises OpsError when that cannot be seen.
    """
    files = [path for pattern in patterns for path in sorted(directory.glob(f"{pattern}.lock"))]
    path = next((path for path in files if is_held(path)), None)
    return _locked(path, path.stem).message if path is not None else None


def is_held(path: Path) -> bool:
    """Whether a process holds flock(2) on a file; one that is not there is held by nobody.

    The kernel's own list (proc(5), /proc/locks) is read: a lock taken only to see whether it is free would keep
    another run out. Raises OpsError when it cannot be read.
    """
    try:
        inode = str(path.stat().st_ino)
        lines = [line.split() for line in _LOCKS.read_text().splitlines()]
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OpsError(
            f"locks cannot be looked at: {error.strerror}", where=str(error.filename), hint="is /proc mounted?"
        ) from error
    return any(len(words) > 7 and words[-3].split(":")[-1] == inode for words in lines)


def _take(descriptor: int, path: Path, name: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _locked(path, name) from None
            time.sleep(POLL_S)
        else:
            return


def _locked(path: Path, name: str) -> LockedError:
    try:
        holder = Holder(**json.loads(path.read_text()))
    except (ValueError, TypeError):  # taken a moment ago, its description not yet written
        return LockedError(f"'{name}' is locked by another run", where=str(path), hint="wait for it: --lock-wait 600")
    return LockedError(
        f"'{name}' is locked: {holder.doing}, by {holder.who} (pid {holder.pid}) since {holder.since}",
        where=str(path),
        hint=f"wait for it with --lock-wait 600, or look at it: ps {holder.pid}",
    )


def _ourselves(doing: str) -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Holder(f"{user}@{socket.gethostname()}", os.getpid(), iso(utcnow().replace(microsecond=0)), doing)
