"""Packs a directory as a release: a compressed tar with what the agent takes (agent/unpack.py), and its digest.

The same directory gives the same bytes, whoever packs it and when: names in order, owners and rights left out but for
whether a file is a program. What is shared is left out; it stays on the host.
"""

import contextlib
import gzip
import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from opsctl.core.errors import OpsError, SettingsError
from opsctl.deploy.agent.unpack import PYTHON

CHUNK = 1 << 20
_HINT = "a release brings files, directories, links inside of it, and links to /usr/bin/python3"


@dataclass(frozen=True)
class Packed:
    """A packed release: its bytes, how many, their SHA-256; the files in it and how long they are (bytes)."""

    file: IO[bytes]
    size: int
    sha256: str
    files: int
    content: int

    def parts(self) -> Iterator[bytes]:
        """The bytes, part by part."""
        self.file.seek(0)
        while part := self.file.read(CHUNK):
            yield part


@contextlib.contextmanager
def packed(directory: Path, shared: Iterable[str]) -> Iterator[Packed]:
    """Pack a directory into a temporary file. Raises SettingsError for what cannot be released, OpsError."""
    if not directory.is_dir():
        raise SettingsError("there is no such directory", where=str(directory), hint="name the directory to release")
    left_out = {path.rstrip("/") for path in shared}
    with tempfile.TemporaryFile() as file:
        try:
            files, size = _pack(directory, left_out, file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise OpsError(f"it cannot be packed: {error.strerror or error}", where=str(directory)) from error
        yield Packed(file, file.tell(), digest, files, size)


def _pack(directory: Path, left_out: set[str], file: IO[bytes]) -> tuple[int, int]:
    files = size = 0
    root = directory.resolve()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, name in _walk(root, "", left_out):
            member = _member(path, name, root)
            if member.isreg():
                with path.open("rb") as content:
                    tar.addfile(member, content)
                files, size = files + 1, size + member.size
            else:
                tar.addfile(member)
    return files, size


def _walk(directory: Path, above: str, left_out: set[str]) -> Iterator[tuple[Path, str]]:
    """All that is in it with its path in the release, a directory before what is in it."""
    for name in sorted(os.listdir(directory)):
        path, within = directory / name, f"{above}{name}"
        if within not in left_out:
            yield path, within
            if path.is_dir() and not path.is_symlink():
                yield from _walk(path, f"{within}/", left_out)


def _member(path: Path, name: str, root: Path) -> tarfile.TarInfo:
    member, found = tarfile.TarInfo(name), path.lstat()
    member.mtime = int(found.st_mtime)
    if stat.S_ISREG(found.st_mode):
        member.size, member.mode = found.st_size, 0o755 if found.st_mode & stat.S_IXUSR else 0o644
    elif stat.S_ISDIR(found.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
        _refuse_leading_out(path, member.linkname, root)
    else:
        raise SettingsError("this is no file, directory or link", where=str(path), hint=_HINT)
    return member


def _refuse_leading_out(link: Path, target: str, root: Path) -> None:
    real = Path(os.path.realpath(link))
    inside = real.is_relative_to(root) and not target.startswith("/")
    if not inside and not PYTHON.fullmatch(target if target.startswith("/") else str(real)):
        raise SettingsError(f"this link leads out of the release: {target}", where=str(link), hint=_HINT)
