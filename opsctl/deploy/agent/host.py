"""What the agent does to its host: programs it runs, files it writes so that a power cut leaves the old or the new."""

import contextlib
import grp
import os
import pwd
import subprocess
import time
from pathlib import Path

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "DEBIAN_FRONTEND": "noninteractive",
    "UCF_FORCE_CONFFOLD": "1",
}
TAIL = 2000
SCRIPT = "-euc"


class AgentError(Exception):
    """A change cannot be made; the message says why, in words for the operator."""


def run(*words: str, timeout_s: float = 120, stdin: str = "", check: bool = True) -> str:
    """Run a program and return what it printed. Raises AgentError with its last lines when it fails."""
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=timeout_s, env=ENVIRONMENT, check=False
        )
    except FileNotFoundError:
        raise AgentError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise AgentError(f"{words[0]} took longer than {timeout_s:g} s and was killed") from None
    if check and done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-TAIL:]
        name = words[0] if words[1:2] == (SCRIPT,) else " ".join(words[:4])
        raise AgentError(f"{name} exited with {done.returncode}: {said}")
    return done.stdout


def shell(script: str, *, timeout_s: float = 120) -> str:
    """Run a script of sh that stops at its first error."""
    return run("sh", SCRIPT, script, timeout_s=timeout_s)


def write(path: Path, data: bytes, *, mode: int, owner: str, group: str) -> None:
    """Put a file in place at once: whoever looks finds the old one or the new one, whole."""
    temporary = unfinished(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchown(descriptor, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, path)
    sync_directory(path.parent)


def unfinished(path: Path) -> Path:
    """Where a file lies while it is written."""
    return path.with_name(f".{path.name}.opsctl-new")


def sync_directory(path: Path) -> None:
    """Let a new or removed name in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def own(path: Path, owner: str, group: str) -> None:
    """Give a file, directory or link itself to an account."""
    os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid, follow_symlinks=False)


def owner_of(found: os.stat_result) -> tuple[str, str]:
    """The names of a file's owner and group; their numbers when they have no name."""
    owner, group = str(found.st_uid), str(found.st_gid)
    with contextlib.suppress(KeyError):
        owner = pwd.getpwuid(found.st_uid).pw_name
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(found.st_gid).gr_name
    return owner, group


class Watch:
    """How long the phases of an application take, in seconds; a phase ends where the next begins."""

    def __init__(self) -> None:
        self._began: list[tuple[str, float]] = []

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._began.append((name, time.monotonic()))

    def took(self) -> dict[str, float]:
        """The phases so far, the last one until now."""
        ends = [*(began for _, began in self._began[1:]), time.monotonic()]
        return {name: round(end - began, 1) for (name, began), end in zip(self._began, ends, strict=True)}
