"""Going on after a lost connection: what was read or sent once is not read or sent again."""

import io
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from opsctl.core.errors import UnreachableError
from opsctl.core.store import StoreError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WAITS_S = (0.0, 1.0, 5.0, 15.0)


class Patience:
    """Waits before each new attempt, longer each time; after the last one the error is raised.

    Whoever gets on calls `progress`, and the waits begin anew.
    """

    def __init__(self, waits_s: Sequence[float] = WAITS_S) -> None:
        self._waits_s = waits_s
        self._failures = 0

    def failed(self, error: UnreachableError) -> None:
        """Wait, or raise the error when there were enough attempts without progress."""
        if self._failures == len(self._waits_s):
            raise error
        self._failures += 1
        time.sleep(self._waits_s[self._failures - 1])

    def progress(self) -> None:
        """Something was achieved."""
        self._failures = 0


class RawStream(Protocol):
    """Bytes of one connection. Both methods raise UnreachableError."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, at least in part; 0 is the end."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class ResumingReader(io.RawIOBase):
    """Reads an object over connections that may be lost; each new one goes on where the last one ended.

    Objects never change, so the parts fit. `first` is the first connection, if there is one already. An object that
    ends before its `size` in bytes raises StoreError.
    """

    def __init__(
        self,
        open_at: Callable[[int], RawStream],
        *,
        offset: int,
        size: int,
        name: str,
        where: str,
        patience: Patience,
        first: RawStream | None = None,
    ) -> None:
        super().__init__()
        self._open_at = open_at
        self._position = offset
        self._size = size
        self._name = name
        self._where = where
        self._patience = patience
        self._stream = first

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, at least in part; 0 is the end of the object."""
        view = memoryview(buffer)[: max(0, self._size - self._position)]
        while view:
            try:
                count = self._read(view)
            except UnreachableError as error:
                self._drop()
                self._patience.failed(error)
                continue
            if not count:
                raise StoreError(
                    f"{self._name} ends after {self._position} of {self._size} bytes",
                    where=self._where,
                    hint="run: opsctl backup verify",
                )
            self._patience.progress()
            self._position += count
            return count
        return 0

    def close(self) -> None:
        """End the connection."""
        self._drop()
        super().close()

    def _read(self, buffer: memoryview) -> int:
        if self._stream is None:
            self._stream = self._open_at(self._position)
        return self._stream.readinto(buffer)

    def _drop(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.close()
