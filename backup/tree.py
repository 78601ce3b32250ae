"""Walks the trees of a files archive: everything once, in a fixed order, without ever following a link.

Each step goes from an open directory to a name in it, so that nobody who may write to a site can lead a backup out of
it by swapping a directory for a link.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from backup.filelist import EntryType, FileEntry
from backup.keys import Secrets, holds_secret
from opsctl.core.errors import OpsError
from opsctl.stack.rooted import below, resolve

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What stands there now is no longer what was there a moment ago: nothing, a file, a link.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # NONBLOCK: a FIFO swapped in must not hang us


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in a tree: its real path on the host, and for a file an open descriptor, which the receiver closes.

    A file that is known is not opened: its descriptor is -1. `entry` is how it is described, once somebody has.
    """

    path: Path
    type: EntryType
    stat: os.stat_result
    descriptor: int = -1
    target: str | None = None
    entry: FileEntry | None = None


@dataclass
class _Level:
    descriptor: int
    path: Path
    names: Iterator[str]


@dataclass(frozen=True)
class TreeOptions:
    """How trees are read: fnmatch patterns (on the host's absolute path) of what is left out; a pattern that
    makes the file that has it secret (one that begins with a private key always is); where well-known names mean
    nothing."""

    exclude: tuple[str, ...] = ()
    secret: re.Pattern[bytes] | None = None
    uploads: Path | None = None


class Walk:
    """Iterate once; the counters are then what it came across: things that vanished meanwhile, and those that no
    archive holds (sockets, FIFOs, devices)."""

    def __init__(
        self,
        root: Path,
        paths: Iterable[Path],
        secrets: Secrets,
        options: TreeOptions,
        known: Callable[[Path, os.stat_result], bool] = lambda path, found: False,
    ) -> None:
        """`paths` are the host's, whose `/` is `root`; `known` is asked for each regular file, in the order of the
        walk, whether there is no need to open it. Raises OpsError for a path that is not there."""
        self._root = root
        self._secrets = secrets
        self._options = options
        self._known = known
        self._uploads = None if options.uploads is None else f"{options.uploads}/"
        self._starts = _starts(root, paths)
        self.vanished = 0
        self.left_out = 0

    def __iter__(self) -> Iterator[Found]:
        for start in self._starts:
            with_parent = os.open(below(self._root, start.parent), _DIRECTORY)
            levels = [_Level(with_parent, start.parent, iter((start.name,)))]
            try:
                while levels:
                    found = self._step(levels)
                    if found is not None:
                        yield found
            finally:
                for level in levels:
                    os.close(level.descriptor)

    def _step(self, levels: list[_Level]) -> Found | None:
        level = levels[-1]
        name = next(level.names, None)
        if name is None:
            os.close(levels.pop().descriptor)
            return None
        path = level.path / name if name else level.path
        if any(fnmatchcase(str(path), pattern) for pattern in self._options.exclude):
            return None
        try:
            return self._look(levels, level, name or ".", path)
        except OSError as error:
            if error.errno in _GONE:
                self.vanished += 1
                return None
            raise OpsError(
                f"{path} cannot be read: {error.strerror}",
                where=str(below(self._root, path)),
                hint="run opsctl as a user that may read it, or leave it out: exclude",
            ) from error

    def _look(self, levels: list[_Level], level: _Level, name: str, path: Path) -> Found | None:
        found = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            descriptor = os.open(name, _DIRECTORY, dir_fd=level.descriptor)
            levels.append(_Level(descriptor, path, iter(())))
            levels[-1].names = iter(sorted(os.listdir(descriptor), key=os.fsencode))
            return Found(path, "directory", os.fstat(descriptor))
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
            self.left_out += 1
            return None
        if self._secrets.is_named(path, found, guess=self._guesses(path)):
            self._secrets.recognised.add(path)
            return None
        if stat.S_ISLNK(found.st_mode):
            return Found(path, "symlink", found, target=os.readlink(name, dir_fd=level.descriptor))
        if self._known(path, found):
            return Found(path, "file", found)
        return self._open(level, name, path)

    def _open(self, level: _Level, name: str, path: Path) -> Found | None:
        descriptor = os.open(name, _FILE, dir_fd=level.descriptor)
        kept = False
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                self.left_out += 1
            elif self._guesses(path) and holds_secret(descriptor, self._options.secret):
                self._secrets.recognised.add(path)
            else:
                kept = True
                return Found(path, "file", found, descriptor)
        finally:
            if not kept:
                os.close(descriptor)
        return None

    def _guesses(self, path: Path) -> bool:
        """What strangers upload can have any name and content, and stays where the drill counts it."""
        return self._uploads is None or not f"{path}/".startswith(self._uploads)


def real_roots(root: Path, paths: Iterable[Path]) -> tuple[Path, ...]:
    """The real paths of trees, without those that lie in others. Raises OpsError for one that is not there."""
    real: set[Path] = set()
    for path in paths:
        end = resolve(root, path)[1]
        if not os.path.lexists(below(root, end)):
            raise OpsError(
                f"{path} is not there", where=str(below(root, end)), hint="look at the paths in: opsctl config show"
            )
        real.add(end)
    return tuple(sorted(path for path in real if not real.intersection(path.parents)))


def _starts(root: Path, paths: Iterable[Path]) -> tuple[Path, ...]:
    """The trees' real roots and the links that lead to them, in the order of the archive."""
    paths = tuple(paths)
    roots = real_roots(root, paths)
    links = {link for path in paths for link in resolve(root, path)[0]}
    apart = {link for link in links if not any(link.is_relative_to(tree) for tree in roots)}
    return tuple(sorted({*roots, *apart}, key=lambda path: order(str(path))))


def order(path: str) -> tuple[bytes, ...]:
    """The key by which paths are sorted in a walk: by their parts, a directory before what is in it."""
    return tuple(os.fsencode(part) for part in path.split("/") if part not in ("", "."))
