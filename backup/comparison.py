"""Holds a tree against what is remembered of it: what has to be stored, what was deleted, what is as it was.

Both come in the same order, so that one pass does and memory stays flat.
"""

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from backup.entries import Entries
from backup.filelist import FileEntry
from backup.remembered import Known
from backup.tree import Found, order
from opsctl.core.errors import OpsError

Keep = Callable[[Known, os.stat_result], None]


class Comparison:
    """Compare once. Afterwards `deleted` are the paths to be removed before what is stored is unpacked, a directory
    with all that is in it; `kept` counts files that are as they were; `unseen` others that had other bytes under the
    same size and times, and are stored for that.

    Without `base`, everything has to be stored. With `read_all`, times prove nothing: every file is read.
    """

    def __init__(self, base: Iterable[Known], *, read_all: bool) -> None:
        self._base = iter(base)
        self._next: Known | None = None
        self._key: tuple[bytes, ...] = ()
        self._go_on()
        self._read_all = read_all
        self._gone: tuple[bytes, ...] | None = None
        self._stored: set[str] = set()
        self._above: list[tuple[str, Found]] = []
        self._again: set[str] = set()
        self.deleted: list[str] = []
        self.kept = 0
        self.unseen = 0

    def knows(self, path: Path, found: os.stat_result) -> bool:
        """Whether a regular file need not even be opened: size, times, inode, owner and mode are as they were.

        Of files with several names, which they are is found out together.
        """
        known = self._at(str(path))
        return (
            not self._read_all
            and known is not None
            and known.entry.type == "file"
            and found.st_nlink == 1
            and known.is_same(found)
            and (known.entry.mode, known.entry.uid, known.entry.gid)
            == (found.st_mode & 0o7777, found.st_uid, found.st_gid)
        )

    def changes(self, walk: Iterable[Found], keep: Keep) -> Generator[Found]:
        """Yield what has to be stored, each with its entry, and before it the directories that lead there, since what
        is unpacked in them changes their times. `keep` receives what is as it was, in its place among the others."""
        entries = Entries()
        for found in walk:
            entry = entries.of(found)
            known = self._at(entry.path)
            if known is not None:
                self._go_on()
            while self._above and not entry.path.startswith(self._above[-1][0]):
                self._above.pop()
            if known is not None and self._is_same(found, entry, known):
                if found.descriptor >= 0:
                    os.close(found.descriptor)
                if entry.type == "directory":
                    self._above.append(("" if entry.path == "." else f"{entry.path}/", found))
                self.kept += entry.type in ("file", "hardlink")
                keep(known, found.stat)
                continue
            if known is not None and known.entry.type != entry.type:
                self._delete(known.entry, order(entry.path), ())
            yield from self._directories(entries)
            if found.stat.st_nlink > 1:
                self._stored.add(entry.path)
            yield replace(found, entry=entry)
        while self._next is not None:
            self._delete(self._next.entry, self._key, ())
            self._go_on()

    def is_again(self, entry: FileEntry) -> bool:
        """Whether an entry that is stored was listed before, as a directory that is as it was."""
        return entry.path in self._again

    def _directories(self, entries: Entries) -> Iterator[Found]:
        above, self._above = self._above, []
        for _, directory in above:
            entry = entries.of(directory)
            self._again.add(entry.path)
            yield replace(directory, entry=entry)

    def _at(self, path: str) -> Known | None:
        """What is remembered of a path; everything remembered before it that was not met was deleted."""
        key = order(path)
        while self._next is not None and self._key < key:
            self._delete(self._next.entry, self._key, key)
            self._go_on()
        return self._next if self._next is not None and self._key == key else None

    def _go_on(self) -> None:
        self._next = next(self._base, None)
        if self._next is not None:
            self._key = order(self._next.entry.path)

    def _delete(self, entry: FileEntry, key: tuple[bytes, ...], following: tuple[bytes, ...]) -> None:
        """Note a deletion, unless it goes with a directory above it, or is one in which there still is something."""
        if self._gone is not None and key[: len(self._gone)] == self._gone:
            return
        if following[: len(key)] == key:
            return
        self.deleted.append(entry.path)
        self._gone = key

    def _is_same(self, found: Found, entry: FileEntry, known: Known) -> bool:
        if replace(known.entry, sha256=None) != entry:
            return False
        if entry.type == "hardlink":
            return entry.target not in self._stored
        if entry.type != "file":
            return True
        same = known.is_same(found.stat)
        if same and not self._read_all:
            return True
        if _digest(found) == known.entry.sha256:
            return True
        self.unseen += same
        return False


def _digest(found: Found) -> str:
    """The SHA-256 of an open file, which is at its beginning afterwards. Raises OpsError."""
    try:
        with os.fdopen(found.descriptor, "rb", buffering=0, closefd=False) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.lseek(found.descriptor, 0, os.SEEK_SET)
    except OSError as error:
        raise OpsError(
            f"{found.path} cannot be read: {error.strerror}", where=str(found.path), hint="look at the disk: dmesg"
        ) from error
    return digest
