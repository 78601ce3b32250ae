"""Files that set-up makes: never overwriting any, with their final mode from the first byte on."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from opsctl.core.errors import OpsError


@dataclass(frozen=True)
class Made:
    """One file: what it is, and whether it was made, was there, or would be made."""

    path: Path
    what: str
    state: Literal["made", "kept", "would be made"]


@dataclass
class NewFiles:
    """Makes files and remembers what became of each. What exists is kept as it is."""

    made: list[Made] = field(default_factory=list)

    def write(self, path: Path, what: str, text: Callable[[], str], *, mode: int = 0o644) -> None:
        """Write a text file; `text` is asked only when it is needed."""
        self.make(path, what, lambda: _write(path, text(), mode))

    def make(self, path: Path, what: str, maker: Callable[[], None]) -> None:
        """Let `maker` make a file. Raises OpsError when it cannot."""
        if path.exists():
            self.made.append(Made(path, what, "kept"))
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            maker()
        except OSError as error:
            raise OpsError(
                f"{what} cannot be written: {error.strerror}", where=str(path), hint="run it as root, or: --config FILE"
            ) from error
        self.made.append(Made(path, what, "made"))


@dataclass
class NoFiles(NewFiles):
    """A dry run: says what would be made and makes nothing."""

    def make(self, path: Path, what: str, maker: Callable[[], None]) -> None:
        """Remember only."""
        self.made.append(Made(path, what, "kept" if path.exists() else "would be made"))


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
