"""Reading a file over SFTP with many requests under way at once."""

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

from opsctl.core.store.sftp_packets import Open
from opsctl.core.store.sftp_protocol import BLOCK, SftpChannel

WINDOW = 64  # requests under way: 2 MiB, which is what an SSH channel lets through without an answer


class SftpStream:
    """Reads a file from an offset to `size` over one channel, asking ahead; the further it gets, the further ahead.

    `watch` explains what goes wrong on the channel, in terms of a person.
    """

    def __init__(
        self,
        channel: SftpChannel,
        path: str,
        *,
        offset: int,
        size: int,
        watch: Callable[[SftpChannel], AbstractContextManager[None]],
    ) -> None:
        self._channel = channel
        self._watch = watch
        self._next = offset
        self._size = size
        self._asked: deque[tuple[int, int, int]] = deque()
        self._ahead = 2
        self._block = b""
        try:
            with watch(channel):
                self._handle = channel.open(path, Open.READ)
        except BaseException:
            channel.close()
            raise

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, at least in part; 0 is the end."""
        if not self._block:
            with self._watch(self._channel):
                self._block = self._receive()
        count = min(len(self._block), len(buffer))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def close(self) -> None:
        """Close the channel; the server closes the file."""
        self._channel.close()

    def _receive(self) -> bytes:
        while len(self._asked) < self._ahead and self._next < self._size:
            self._ask(self._next, min(BLOCK, self._size - self._next))
            self._next += BLOCK
        if not self._asked:
            return b""
        number, offset, length = self._asked.popleft()
        data = self._channel.data(number)
        if 0 < len(data) < length:  # a server may give less than was asked for
            self._ask(offset + len(data), length - len(data))
            self._asked.rotate(1)
        self._ahead = min(self._ahead * 2, WINDOW)
        return data

    def _ask(self, offset: int, length: int) -> None:
        self._asked.append((self._channel.request_read(self._handle, offset, length), offset, length))
