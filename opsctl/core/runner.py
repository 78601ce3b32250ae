"""Where commands run: on this machine, or on another one behind the same interface."""

from collections.abc import Iterable
from typing import Protocol

from opsctl.core.process import Command, Completed, run


class Runner(Protocol):
    """Runs programs on one host."""

    @property
    def where(self) -> str:
        """The host, for a person."""
        ...

    def run(self, command: Command, *, timeout_s: float, stdin: bytes | None = None) -> Completed:
        """Run a program to its end, with `stdin` as its input, and return how it ended, whatever its exit status.

        Raises OpsError when it is not installed, CommandFailedError when it took longer than `timeout_s` seconds (it
        has been killed then), UnreachableError when the host is.
        """
        ...


class StreamRunner(Runner, Protocol):
    """A runner whose input need not fit into memory."""

    def run(self, command: Command, *, timeout_s: float, stdin: bytes | Iterable[bytes] | None = None) -> Completed:
        """Run a program; an input of several parts is sent one by one."""
        ...


class LocalRunner:
    """Runs programs on this machine."""

    @property
    def where(self) -> str:
        """This machine."""
        return "this machine"

    def run(self, command: Command, *, timeout_s: float, stdin: bytes | None = None) -> Completed:
        """Run a program as a child of this process."""
        return run(command, timeout_s=timeout_s, stdin=stdin, check=False)
