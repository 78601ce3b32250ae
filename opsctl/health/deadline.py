"""Sockets with one deadline for everything: a server that drips a byte a second does not hold anybody up."""

import io
import socket
import time
from typing import TYPE_CHECKING

from opsctl.core.errors import UnreachableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Deadline:
    """A moment on the monotonic clock; `left` are the seconds until then."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    def left(self) -> float:
        """Seconds until then. Raises UnreachableError when it is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> UnreachableError:
        """The error for what took too long."""
        return UnreachableError(f"no whole answer within {self.timeout_s:g} s", hint="see what it waits for: its log")


class Reader(io.RawIOBase):
    """Reads from a connected socket until the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what there is. Raises UnreachableError when the deadline is over."""
        self._connection.settimeout(self._deadline.left())
        try:
            return self._connection.recv_into(buffer)
        except TimeoutError:
            raise self._deadline.over() from None


class Readable:
    """What http.client takes a socket to be: something that makes a file to read from."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._reader = Reader(connection, deadline)

    def makefile(self, mode: str) -> io.BufferedReader:
        """A file to read from."""
        return io.BufferedReader(self._reader)
