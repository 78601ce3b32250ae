"""Rewrites a tar archive: some files with other bytes, some left out, the rest as it was."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

Edits = Mapping[str, bytes | None]
"""New content by path as in the archive, without a leading slash; None leaves the path out."""


def rewrite(source: Path, target: Path, edits: Edits) -> None:
    """Write the archive with its edits."""
    with _open(source, "r:") as old, _open(target, "w:") as new:
        for member in old:
            if member.name not in edits:
                new.addfile(member, old.extractfile(member) if member.isreg() else None)
                continue
            data = edits[member.name]
            if data is not None:
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))


def read(source: Path, path: str) -> bytes:
    """The content of one file. Raises KeyError when it is not in the archive."""
    with _open(source, "r:") as archive:
        member = archive.extractfile(path)
        return member.read() if member is not None else b""


def paths(source: Path) -> set[str]:
    """Everything in the archive, without leading slashes."""
    with _open(source, "r:") as archive:
        return set(archive.getnames())


def _open(path: Path, mode: str) -> tarfile.TarFile:
    return tarfile.open(path, mode, format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape")  # type: ignore[call-overload,no-any-return]
