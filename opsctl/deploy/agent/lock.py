"""The lock of a host: one changes it at a time, and whoever has to wait is told for whom.

It is flock(2) on a file that is never removed, so it ends with its process, however that dies. Only looking takes no
lock: the kernel's own list (proc(5), /proc/locks) says whose it is.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from . import guard, host

HOME = Path("/var/lib/opsctl/deploy")
LOCK = HOME / "lock"
POLL_S = 0.2
_LOCKS = Path("/proc/locks")


class LockedError(host.AgentError):
    """Somebody else changes this host; `holder` is what is known of them."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__(str(holder.get("who", "")))
        self.holder = holder


@contextmanager
def locked(who: dict[str, Any], *, wait_s: float = 0) -> Iterator[None]:
    """Be the only one who changes this host; the lock says who, since when, why and for which plan.

    Raises LockedError when somebody else still is after `wait_s` seconds.
    """
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    HOME.chmod(0o711)  # health looks at the lock, whoever it runs as; bundles are closed themselves
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, time.monotonic() + wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(who).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder() -> dict[str, Any] | None:
    """Who holds the lock, in their own words, their process (`pid`) and its systemd unit; None when nobody does."""
    pid = _pid()
    return None if pid is None else {**_words(), "pid": pid, "unit": _unit(pid)}


def wait(seconds: float) -> bool:
    """Wait until nobody holds the lock or has to confirm a change; whether that came to be within so many seconds."""
    deadline = time.monotonic() + seconds
    while _pid() is not None or guard.armed_for() is not None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def _take(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(_words()) from None
            time.sleep(POLL_S)
        else:
            return


def _pid() -> int | None:
    """The holder's process; 0 for one that cannot be seen from here."""
    try:
        inode = str(LOCK.stat().st_ino)
    except FileNotFoundError:
        return None
    for line in _LOCKS.read_text().splitlines():
        words = line.split()  # 1: FLOCK ADVISORY WRITE 1234 fd:01:5678 0 EOF
        if len(words) == 8 and words[1] == "FLOCK" and words[5].split(":")[-1] == inode:
            return max(int(words[4]), 0)
    return None


def _words() -> dict[str, Any]:
    """What the holder wrote; nothing yet from one that took it a moment ago, or that is no agent."""
    with suppress(OSError, ValueError):
        found = json.loads(LOCK.read_text())
        if isinstance(found, dict):
            return found
    return {}


def _unit(pid: int) -> str | None:
    """The systemd unit of a process: the last part of its control group that is a service or a scope."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            parts = [part for part in line.split("/") if part.endswith((".service", ".scope"))]
            if parts:
                return parts[-1]
    return None
