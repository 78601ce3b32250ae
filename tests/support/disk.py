"""A small file system of its own, that can be filled to the last block."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
BLOCK = 4096


@dataclass(frozen=True)
class Disk:
    """An ext4 file system mounted at `path`."""

    path: Path

    @property
    def free(self) -> int:
        """Bytes that still fit."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def leave(self, room: int) -> None:
        """Fill it, so that about `room` bytes still fit."""
        self.make_room()
        with self._filler.open("wb") as file:
            wanted = self.free - max(room, 0)
            while wanted >= BLOCK:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), BLOCK * min(wanted // BLOCK, 256))
                wanted = self.free - max(room, 0)

    def make_room(self) -> None:
        """Take away what fills it."""
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.path / ".filler"


@contextmanager
def small_disk(at: Path, size: int) -> Iterator[Disk]:
    """Mount a new file system of so many bytes, in a sparse file, at a directory that is made if it is not there."""
    at.mkdir(exist_ok=True)
    image = at.with_name(f"{at.name}.image")
    with image.open("wb") as file:
        file.truncate(size)
    options = ["-q", "-m", "0", "-O", "^has_journal", "-E", "root_owner=0:0", "-b", str(BLOCK)]
    subprocess.run(["mkfs.ext4", *options, image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True, capture_output=True)
    try:
        (at / "lost+found").rmdir()
        at.chmod(0o711)
        yield Disk(at)
    finally:
        subprocess.run(["umount", at], check=True, capture_output=True)
        image.unlink()
