"""Lists of the files of a restored tree, as a backup would have made them of the host."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from backup.filelist import FileEntry
from backup.manifest import FileSet


def write_list(tree: Path, lists: Path, files: FileSet, secrets: Collection[str]) -> FileSet:
    """Write the list of a set and return the set with its digest and numbers."""
    entries = sorted(_entries(tree, files, secrets), key=lambda entry: entry.path.split("/"))
    text = b"".join(entry.line() for entry in entries)
    (lists / f"files-{files.name}.list").write_bytes(text)
    regular = [entry for entry in entries if entry.type in ("file", "hardlink")]
    below = None if files.uploads is None else files.uploads.lstrip("/") + "/"
    return files.model_copy(
        update={
            "digest": hashlib.sha256(text).hexdigest(),
            "files": len(regular),
            "size": sum(entry.size for entry in regular),
            "upload_count": 0 if below is None else sum(entry.path.startswith(below) for entry in regular),
        }
    )


def _entries(tree: Path, files: FileSet, secrets: Collection[str]) -> Iterator[FileEntry]:
    for start in files.paths:
        top = tree / start.lstrip("/")
        names = [top] + [Path(folder, name) for folder, folders, names in os.walk(top) for name in (*folders, *names)]
        for place in names:
            if f"/{place.relative_to(tree)}" not in secrets:
                yield _entry(tree, place)


def _entry(tree: Path, place: Path) -> FileEntry:
    found = place.lstat()
    path = str(place.relative_to(tree))
    common = (path, found.st_mode & 0o7777, found.st_uid, found.st_gid, found.st_mtime_ns)
    if stat.S_ISLNK(found.st_mode):
        return _make(common, "symlink", target=os.readlink(place))
    if stat.S_ISDIR(found.st_mode):
        return _make(common, "directory")
    return _make(common, "file", size=found.st_size, sha256=hashlib.sha256(place.read_bytes()).hexdigest())


def _make(common: tuple[str, int, int, int, int], kind: str, **more: object) -> FileEntry:
    path, mode, uid, gid, mtime_ns = common
    fields = {"path": path, "type": kind, "mode": mode, "uid": uid, "gid": gid, "size": 0, "mtime_ns": mtime_ns, **more}
    return FileEntry(**fields)  # type: ignore[arg-type]
