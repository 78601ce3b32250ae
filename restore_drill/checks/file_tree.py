"""Compares the restored files with the lists that were made while they were archived."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from backup.filelist import FileEntry

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BATCH = 512


@dataclass
class Comparison:
    """`missing`, `different` and `extra` are paths as on the host; `files` and `size` (bytes) were compared whole."""

    files: int = 0
    size: int = 0
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def walk(tree: Path) -> dict[str, os.stat_result]:
    """Everything below `tree` by its path relative to it; no link is followed."""
    found: dict[str, os.stat_result] = {}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(tree / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                found[path] = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
    return found


def compare(tree: Path, entries: Iterable[FileEntry], elsewhere: Iterable[str]) -> Comparison:
    """Hold the tree against the lists' entries, byte for byte, and look for what is in no list.

    `elsewhere` are host paths that come from the keys archive. A path in several lists is compared with each.
    """
    present = walk(tree)
    result = Comparison()
    listed: set[str] = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(entries):
            listed.update(entry.path for entry in batch)
            verdicts = pool.map(lambda entry: _judge(tree, present, entry), batch)
            for entry, verdict in zip(batch, verdicts, strict=True):
                _note(result, entry, verdict)
    listed.update(path.lstrip("/") for path in elsewhere)
    parents = {parent for path in listed for parent in _parents(path)}
    result.extra = sorted(f"/{path}" for path in present if path not in listed and path not in parents)
    return result


def count_files(directory: Path) -> int:
    """Regular files below a directory (0 when it is not there); no link is followed."""
    if not directory.is_dir() or directory.is_symlink():
        return 0
    return sum(1 for found in walk(directory).values() if stat.S_ISREG(found.st_mode))


def _note(result: Comparison, entry: FileEntry, verdict: str) -> None:
    if verdict == "missing":
        result.missing.append(f"/{entry.path}")
    elif verdict:
        result.different.append(f"/{entry.path}: {verdict}")
    elif entry.type == "file":
        result.files += 1
        result.size += entry.size


def _judge(tree: Path, present: dict[str, os.stat_result], entry: FileEntry) -> str:
    """How a restored path differs from its entry, in words; empty when it does not."""
    found = present.get(entry.path)
    if found is None:
        return "missing"
    if entry.type == "directory":
        return "" if stat.S_ISDIR(found.st_mode) else "it is no directory"
    if entry.type == "symlink":
        same = stat.S_ISLNK(found.st_mode) and os.readlink(tree / entry.path) == entry.target
        return "" if same else "it is another link"
    if entry.type == "hardlink":
        other = present.get(entry.target or "")
        return "" if other is not None and os.path.samestat(other, found) else "it is a file of its own"
    return _judge_file(tree, found, entry)


def _judge_file(tree: Path, found: os.stat_result, entry: FileEntry) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    if found.st_size != entry.size:
        return f"it has {found.st_size} bytes, not {entry.size}"
    return "" if _digest(tree / entry.path) == entry.sha256 else "it has other bytes"


def _digest(path: Path) -> str:
    with os.fdopen(os.open(path, _READ_FLAGS), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _batches(entries: Iterable[FileEntry]) -> Iterator[list[FileEntry]]:
    batch: list[FileEntry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
