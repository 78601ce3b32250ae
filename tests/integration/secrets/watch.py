"""Runs `opsctl` and writes down what it says, every child it starts, and every argv and environment below it."""

import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.cli.main import main

TIMEOUT_S = 240
EVERY_S = 0.005
GROUPS = ("backup", "binlog", "config", "doctor", "drill", "init", "ledger", "restore", "status", "vault")
STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system")

# Each command is forked from a process that has read the program already, since that takes longest.
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__, *(f"opsctl.cli.{group}" for group in GROUPS)])

# Starting one looks at how the others ended, and the end of each can be read only once.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Watched:
    """One run: its words, exit code, what it said, and every argv and environment (as /proc has them) below it."""

    words: tuple[str, ...]
    code: int | None
    out: bytes
    err: bytes
    started: bytes
    processes: frozenset[bytes] = field(repr=False)


def opsctl(words: Sequence[str], files: Path) -> Watched:
    """Run a command to its end. `files` is the beginning of the names of files to make for what it says."""
    out, err, started = (files.with_suffix(suffix) for suffix in (".out", ".err", ".started"))
    child = _FORKING.Process(target=_run, args=(list(words), out, err, started))
    with _ONE_AT_A_TIME:
        child.start()
    assert child.pid is not None
    seen = frozenset(_sampled(child.pid, child.sentinel))
    with _ONE_AT_A_TIME:
        child.kill()
        child.join()
    return Watched(
        words=tuple(words),
        code=child.exitcode,
        out=out.read_bytes(),
        err=err.read_bytes(),
        started=started.read_bytes(),
        processes=seen,
    )


def _run(words: list[str], out: Path, err: Path, started: Path) -> None:
    """What `python -m opsctl` does, where an audit hook hears of each child before it is there."""
    os.setsid()
    for file, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    log = os.open(started, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in STARTS:
            os.write(log, repr(arguments).encode() + b"\n")

    sys.addaudithook(hear)
    sys.argv = ["opsctl", *words]
    main()


def _sampled(root: int, end: int) -> Iterator[bytes]:
    """What children start themselves is known only from /proc, again and again until `end` is readable."""
    deadline = time.monotonic() + TIMEOUT_S
    while not multiprocessing.connection.wait([end], timeout=EVERY_S):
        assert time.monotonic() < deadline, "it does not end"
        for pid in tree(root):
            for name in ("cmdline", "environ"):
                yield _read(f"/proc/{pid}/{name}")


def tree(pid: int) -> Iterator[int]:
    """A process and all that came from it."""
    yield pid
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for task in tasks:
        for child in _read(f"/proc/{pid}/task/{task}/children").split():
            yield from tree(int(child))


def _read(path: str) -> bytes:
    """A file of /proc; nothing when the process is gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
