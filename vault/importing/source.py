"""Where an export comes from: a text file, a directory, or a zip; the last two with media beside the text."""

import os
import stat
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from opsctl.core.errors import OpsError, SettingsError
from vault.importing.zipped import ZipSource

CHUNK = 1 << 20
CHAT = "_chat.txt"


class Source(Protocol):
    """An export's files, by name."""

    def sizes(self) -> Mapping[str, int]:
        """Every file with its size in bytes."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Read a file. What is read is never more than its size."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(frozen=True)
class Export:
    """An export: its files, which of them is the text, and the text's SHA-256."""

    source: Source
    where: str
    text: str
    sha256: bytes

    def open_text(self) -> BinaryIO:
        """Read the text from its beginning."""
        return self.source.open(self.text)

    def text_bytes(self) -> int:
        """The size of the text in bytes."""
        return self.source.sizes()[self.text]

    def media(self) -> dict[str, str]:
        """Every other file: its name here, and its name as messages write it."""
        return {name: spelled(name.rsplit("/", 1)[-1]) for name in self.source.sizes() if name != self.text}


def spelled(name: str) -> str:
    """A file's name for comparing: some systems write accents as characters of their own."""
    return unicodedata.normalize("NFC", name)


def open_export(path: Path) -> Export:
    """Open an export. Raises SettingsError when there is none, OpsError for one that cannot be trusted."""
    if path.is_dir():
        source: Source = DirectorySource(path)
    elif zipfile.is_zipfile(path):
        source = ZipSource(path)
    elif path.is_file():
        source = FileSource(path)
    else:
        raise SettingsError("there is no such export", where=str(path))
    text = _text_of(source, path)
    digest = sha256()
    with source.open(text) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return Export(source, path.name, text, digest.digest())


def _text_of(source: Source, path: Path) -> str:
    texts = [name for name in source.sizes() if name.lower().endswith(".txt")] or list(source.sizes())[:2]
    named = [name for name in texts if name.rsplit("/", 1)[-1] == CHAT]
    named = named or [name for name in texts if "whatsapp" in name.rsplit("/", 1)[-1].lower()] or texts
    if len(named) != 1:
        found = ", ".join(sorted(named)[:5]) or "none"
        raise OpsError(f"an export has one text of a chat; found: {found}", where=str(path))
    return named[0]


class FileSource:
    """A text alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sizes(self) -> Mapping[str, int]:
        """The one file."""
        return {self._path.name: self._path.stat().st_size}

    def open(self, name: str) -> BinaryIO:
        """Read it."""
        return self._path.open("rb")

    def close(self) -> None:
        """Nothing to do."""


class DirectorySource:
    """A directory that somebody unpacked. Links in it are refused: they could lead to any file of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[str, int] = {}
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                self._sizes[entry.name] = found.st_size
            elif not stat.S_ISDIR(found.st_mode):
                raise OpsError(f"'{entry.name}' is no ordinary file", where=str(path), hint="take it out of the export")

    def sizes(self) -> Mapping[str, int]:
        """The files of the directory itself."""
        return self._sizes

    def open(self, name: str) -> BinaryIO:
        """Read one, if it is still no link."""
        return os.fdopen(os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")

    def close(self) -> None:
        """Nothing to do."""
