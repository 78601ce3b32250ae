"""Reads a file from the disk rather than from the memory that it was just written from.

With O_DIRECT (open(2)) the bytes come from the device, and nothing is spent on a cache that nobody will use; the next
piece is read while the last one is looked at. A store that is no file, or a file system without O_DIRECT, is read as
usual.
"""

import errno
import fcntl
import io
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

PIECE = 4 << 20


def fresh_chunks(stream: io.BufferedIOBase) -> Iterator[memoryview]:
    """The stream's bytes from its position on, in pieces that are valid until the next but one is asked for.

    Raises OSError for what cannot be read.
    """
    buffers = [memoryview(mmap.mmap(-1, PIECE)) for _ in range(2)]  # O_DIRECT wants whole pages
    descriptor = _descriptor(stream)
    with ThreadPoolExecutor(1) as reader:

        def ask(buffer: memoryview) -> "Future[int]":
            if descriptor is None:
                return reader.submit(stream.readinto, buffer)
            return reader.submit(_fill, descriptor, buffer)

        filled = ask(buffers[0])
        while count := filled.result():
            buffers.reverse()
            filled = ask(buffers[0])
            yield buffers[1][:count]


def _descriptor(stream: io.BufferedIOBase) -> int | None:
    """The stream's file, switched to O_DIRECT if it can be; None for what has no file."""
    try:
        descriptor = stream.fileno()
    except OSError:
        return None
    _set_direct(descriptor, on=True)
    return descriptor


def _set_direct(descriptor: int, *, on: bool) -> None:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:  # tmpfs, for one, has no O_DIRECT
            raise


def _fill(descriptor: int, buffer: memoryview) -> int:
    """Read once. What O_DIRECT refuses, such as going on from the middle of a block, is read without it."""
    try:
        return os.readv(descriptor, [buffer])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _set_direct(descriptor, on=False)
        return os.readv(descriptor, [buffer])
