"""Describes what is found in a tree as entries of a file list, and knows files again that have several names."""

from dataclasses import replace

from backup.filelist import FileEntry
from backup.tree import Found


class Entries:
    """The first name of a file is its entry, each further one a hard link to it."""

    def __init__(self) -> None:
        self._linked: dict[tuple[int, int], str] = {}

    def of(self, found: Found) -> FileEntry:
        """The entry of something found, without the SHA-256 of a file."""
        info = found.stat
        entry = FileEntry(
            path=str(found.path).lstrip("/") or ".",
            type=found.type,
            mode=info.st_mode & 0o7777,
            uid=info.st_uid,
            gid=info.st_gid,
            size=info.st_size if found.type == "file" else 0,
            mtime_ns=info.st_mtime_ns,
            target=found.target,
        )
        if found.type == "file" and info.st_nlink > 1:
            first = self._linked.setdefault((info.st_dev, info.st_ino), entry.path)
            if first != entry.path:
                return replace(entry, type="hardlink", size=0, target=first)
        return entry
