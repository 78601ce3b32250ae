"""Stores that fail on purpose, and what tests do to backups while they run."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from io import BufferedIOBase, BytesIO
from pathlib import Path

from opsctl.core.progress import Silent
from opsctl.core.store import Stored
from opsctl.core.store.directory import DirectoryStore, DirectoryUpload


class HookedUpload(DirectoryUpload):
    """Calls `before_write` with the key before each write, `before_commit` before each commit."""

    def __init__(self, store: "HookedStore", key: str, path: Path) -> None:
        super().__init__(store, key, path)
        self._hooks = store
        self._name = key

    def write(self, data: memoryview | bytes) -> None:
        self._hooks.before_write(self._name)
        super().write(data)

    def commit(self) -> Stored:
        self._hooks.before_commit(self._name)
        return super().commit()


def nothing(key: str) -> None:
    """A hook that does nothing."""


class HookedStore(DirectoryStore):
    """A directory whose writes, commits and reads do what a test wants first."""

    def __init__(
        self,
        directory: Path,
        *,
        before_write: Callable[[str], None] = nothing,
        before_commit: Callable[[str], None] = nothing,
        flip: str | None = None,
    ) -> None:
        super().__init__(directory)
        self.before_write = before_write
        self.before_commit = before_commit
        self._flip = flip

    def create(self, key: str, *, retain_until: datetime | None = None) -> DirectoryUpload:
        upload = super().create(key, retain_until=retain_until)
        upload.abort()
        return HookedUpload(self, key, self.directory / key)

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        """The object; the one named `flip` with its last byte changed."""
        stream = super().open(key, offset=offset)
        if self._flip is None or not key.endswith(self._flip):
            return stream
        with stream:
            data = bytearray(stream.read())
        data[-1] ^= 1
        return BytesIO(bytes(data))


class During(Silent):
    """Progress that does something once, while mariadb-backup has begun and cannot end before it is done."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def advance(self, count: int) -> None:
        """Called where the stream passes: the program waits for us in front of a full pipe."""
        act, self._act = self._act, None
        if act is not None:
            act()


def children_named(name: str) -> list[int]:
    """Ids of running programs of that name which this process, or one of its threads, has started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    found.append(int(pid))
    return found


def kill_children(name: str, signal: int) -> None:
    for pid in children_named(name):
        os.kill(pid, signal)
