"""The files of the host that is being looked at, below a root, and the notes of what was not understood there."""

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.stack.discovery.found import Puzzle
from opsctl.stack.rooted import below, resolve

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# Configuration is small; what is larger is something else.
_MOST_BYTES = 4 << 20


@dataclass
class HostFiles:
    """Reads files of the host whose `/` is `root`; every path is the host's own. Nothing is ever written.

    What cannot be read, and what readers of these files do not understand, is noted in `puzzles`.
    """

    root: Path
    puzzles: list[Puzzle] = field(default_factory=list)

    def note(self, where: Path | str, what: str, hint: str) -> None:
        """Note what is not understood, once."""
        puzzle = Puzzle(where=str(where), what=what, hint=hint)
        if puzzle not in self.puzzles:
            self.puzzles.append(puzzle)

    def real(self, path: Path) -> Path:
        """The path with all links followed as the host would; the path itself where that cannot be done."""
        try:
            return resolve(self.root, path)[1]
        except OpsError:
            return path

    def is_file(self, path: Path) -> bool:
        """Whether there is a file, links followed."""
        return stat.S_ISREG(self._mode(path))

    def is_dir(self, path: Path) -> bool:
        """Whether there is a directory, links followed."""
        return stat.S_ISDIR(self._mode(path))

    def _mode(self, path: Path) -> int:
        """What is at a path; 0, with a note unless it is missing, when that cannot be told."""
        try:
            return os.stat(self._place(path)).st_mode
        except OSError as error:
            if error.errno not in _MISSING:
                self._unreadable(path, error)
            return 0

    def _unreadable(self, path: Path, error: OSError) -> None:
        self.note(path, f"cannot be read: {error.strerror}", "run opsctl as a user that may read it")

    def is_link(self, path: Path) -> bool:
        """Whether the last part of the path is a link."""
        return os.path.islink(below(self.root, self.real(path.parent) / path.name))

    def read(self, path: Path) -> str | None:
        """The text of a file; None, with a note unless it is missing, when there is none that can be read.

        Bytes that are no UTF-8 come back as surrogates.
        """
        if not self.is_file(path):
            return None
        place = self._place(path)
        try:
            if place.stat().st_size > _MOST_BYTES:
                self.note(path, "is too large for a configuration file", "look at it, and name it in the settings")
                return None
            return place.read_bytes().decode(errors="surrogateescape")
        except OSError as error:
            self._unreadable(path, error)
            return None

    def names(self, directory: Path) -> tuple[str, ...]:
        """What is in a directory, sorted; nothing, with a note unless it is missing, when it cannot be read."""
        try:
            return tuple(sorted(os.listdir(self._place(directory))))
        except OSError as error:
            if error.errno not in _MISSING:
                self._unreadable(directory, error)
            return ()

    def _place(self, path: Path) -> Path:
        return below(self.root, self.real(path))
