"""Looks at processes that are not this one's children, and words from those that are."""

import os
import select
import subprocess
from pathlib import Path


def descendant(pid: int, generations: int) -> int | None:
    """The child, grandchild … of a process in a chain where each has one; None when there is none (any more)."""
    for _ in range(generations):
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return None
        if not children:
            return None
        pid = int(children[0])
    return pid


def wait_for_end(pidfd: int) -> None:
    """Wait until a process has ended, and let go of it."""
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    ended.poll()
    os.close(pidfd)


def read_line(child: "subprocess.Popen[str]", timeout_s: float) -> str:
    """The next line that a child says, or what came before its end or its `timeout_s` seconds: nothing."""
    assert child.stdout is not None
    heard, _, _ = select.select([child.stdout], [], [], timeout_s)
    return child.stdout.readline() if heard else ""
