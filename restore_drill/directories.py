"""Directories of a restored tree: writable while more is unpacked into them, and at last as the lists say.

A later archive changes the times of directories that an earlier one made; secrets come last, and from an archive that
knows of no directory.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from backup.filelist import FileEntry, parse_list
from opsctl.core.errors import IntegrityError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_up(tree: Path) -> None:
    """Let our own user into every directory. Root needs none of it."""
    for folder, names, _ in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            mode = os.stat(path, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
                os.chmod(path, stat.S_IMODE(mode) | stat.S_IRWXU)


def settle(tree: Path, lists: Iterable[Path]) -> None:
    """Give every directory in the lists its mode and time, the deepest first. No link is followed.

    Raises IntegrityError when what a list calls a directory is none.
    """
    entries = [entry for listed in lists for entry in _directories(listed)]
    for entry in sorted(entries, key=lambda entry: entry.path.count("/"), reverse=True):
        try:
            descriptor = _descend(tree, entry.path)
        except OSError as error:
            raise IntegrityError(
                f"/{entry.path} is no directory in the archives, and one in their list: {error.strerror}",
                where=str(tree),
            ) from error
        try:
            os.fchmod(descriptor, entry.mode)
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(descriptor)


def _directories(listed: Path) -> Iterator[FileEntry]:
    with listed.open("rb") as lines:
        yield from (entry for entry in parse_list(lines, listed.name) if entry.type == "directory")


def _descend(tree: Path, path: str) -> int:
    """Open a directory below `tree`, one name at a time."""
    descriptor = os.open(tree, _DIRECTORY)
    for part in path.split("/"):
        if part == "..":
            os.close(descriptor)
            raise IntegrityError(f"'{path}' is no path of the host")
        above = descriptor
        try:
            descriptor = os.open(part, _DIRECTORY, dir_fd=above)
        finally:
            os.close(above)
    return descriptor
