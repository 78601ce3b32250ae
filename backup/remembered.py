"""What this machine remembers of the files in its last backup, so that those that did not change are not read again.

One file for each set, gzip of lines: first what the set was judged by, then for each entry of the file list its line, a
tab, and the file's inode and ctime (nanoseconds), or nothing where they prove nothing. It is a memory only: where it is
missing or damaged, everything is read.
"""

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backup.context import Host
from backup.filelist import FileEntry, parse_line
from opsctl.core.durable import unwritable
from opsctl.core.errors import IntegrityError
from opsctl.core.store.directory import sync_directory

DIRECTORY = "files"
FORMAT = "opsctl-remembered-1"
# A file system's clock ticks in milliseconds, or, on a network, in seconds: a file that was written to after it was
# read, within the same tick, has the same ctime.
TICK_NS = 2_000_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Known:
    """An entry of the last list, its line there, and its file's inode and ctime (None: they prove nothing)."""

    entry: FileEntry
    line: bytes
    inode: int | None
    ctime_ns: int | None

    def is_same(self, found: os.stat_result) -> bool:
        """Whether a file still has the size, mtime, ctime and inode that it had when it was read."""
        return (
            self.entry.size == found.st_size
            and self.entry.mtime_ns == found.st_mtime_ns
            and self.ctime_ns == found.st_ctime_ns
            and self.inode == found.st_ino
        )


def directory(host: Host, backup_id: str) -> Path:
    """Where the memory of a backup's sets lies."""
    return host.machine.state_dir / DIRECTORY / backup_id


class Memory:
    """Writes the memory of one set while its list is made; the run that did not finish it removes it."""

    def __init__(self, path: Path, judged: str, began_ns: int) -> None:
        """`judged` says by what; `began_ns` is when reading began (nanoseconds since 1970). Raises OpsError."""
        self._path = path
        self._certain_ns = began_ns - TICK_NS
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._raw: IO[bytes] = open(  # noqa: SIM115 - closed by finish or by the context
                path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)
            )
        except OSError as error:
            raise unwritable(error, path) from error
        self._file = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=1, mtime=0)
        self._write(json.dumps({"format": FORMAT, "judged": judged}).encode() + b"\n")

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # of what was not finished; what was has nothing left to write
            self._raw.close()

    def add(self, line: bytes, found: os.stat_result | None) -> None:
        """Remember one line of the list, with what its file was when it was looked at."""
        proof = b""
        if found is not None and found.st_ctime_ns < self._certain_ns:
            proof = b"%d %d" % (found.st_ino, found.st_ctime_ns)
        self._write(line.rstrip(b"\n") + b"\t" + proof + b"\n")

    def finish(self) -> None:
        """Keep it durably. Raises OpsError."""
        try:
            self._file.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            sync_directory(self._path.parent)
        except OSError as error:
            raise unwritable(error, self._path) from error

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise unwritable(error, self._path) from error


def judged_by(path: Path) -> str | None:
    """What a remembered set was judged by; None when there is no memory of it, or one that is damaged anywhere."""
    try:
        with gzip.open(path) as lines:
            head = json.loads(lines.readline())
            while lines.read(_CHUNK):
                pass
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return str(head["judged"]) if isinstance(head, dict) and head.get("format") == FORMAT else None


def recall(path: Path) -> Iterator[Known]:
    """Read a memory that `judged_by` has found whole, in the order of the list. Raises IntegrityError."""
    try:
        with gzip.open(path) as lines:
            lines.readline()
            for text in lines:
                line, _, proof = text.rstrip(b"\n").rpartition(b"\t")
                inode, _, ctime_ns = proof.partition(b" ")
                known = (int(inode), int(ctime_ns)) if proof else (None, None)
                yield Known(parse_line(line, str(path)), line + b"\n", *known)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise IntegrityError(
            f"what is remembered of the last backup's files changed while it was read: {error}",
            where=str(path),
            hint="look at the disk: dmesg; then take the backup again: opsctl backup run --kind full",
        ) from error
