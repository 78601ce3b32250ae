"""A store that is a directory on a local disk."""

import contextlib
import os
import secrets
import stat
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.store import PARTIAL, DeniedError, ExistsError, MissingError, Stored, StoreError, check_key

WRITE_OUT = 8 << 20
"""Bytes of an upload after which the disk begins to write."""


class DirectoryStore:
    """Objects are files of mode 0440 below a directory.

    An upload is a hidden file beside its final name; publishing is link(2), which refuses an existing name and is
    atomic, after fsync of the file and before fsync of the directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def where(self) -> str:
        """The directory."""
        return str(self.directory)

    def create(self, key: str, *, retain_until: datetime | None = None) -> "DirectoryUpload":
        """Begin an object; a directory can lock nothing, so `retain_until` is refused."""
        if retain_until is not None:
            raise DeniedError("a directory store cannot lock objects", where=self.where, hint="use an S3 store")
        path = self._path(key)
        with self._explained(key):
            self._make_parents(path.parent)
            if path.exists():
                raise ExistsError(f"{key} exists already", where=self.where)
            return DirectoryUpload(self, key, path)

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        """Open the file, at a byte offset."""
        with self._explained(key):
            stream = self._path(key).open("rb")
            stream.seek(offset)
            return stream

    def stat(self, key: str) -> Stored | None:
        """Look at the file."""
        with self._explained(key):
            try:
                found = self._path(key).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if not stat.S_ISREG(found.st_mode):
                return None
            return Stored(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def list(self, prefix: str, *, ending: str = "") -> Iterator[Stored]:
        """Walk only the part of the tree in which keys with this prefix can lie; look only at files of this ending."""
        with self._explained(prefix):
            yield from self._walk(prefix, ending)

    def delete(self, key: str) -> None:
        """Unlink the file, and the directories that are empty then."""
        path = self._path(key)
        with self._explained(key):
            path.unlink()
            for parent in path.parents:
                if parent == self.directory:
                    break
                with contextlib.suppress(OSError):
                    parent.rmdir()
                    continue
                break

    def remove_partials(self, prefix: str, *, older_than: datetime) -> int:
        """Unlink the hidden files."""
        removed = 0
        for path in (self.directory / prefix).rglob(f"{PARTIAL}*"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < older_than:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, key: str) -> Path:
        check_key(key, self.where)
        return self.directory / key

    def _make_parents(self, parent: Path) -> None:
        missing = []
        while not parent.exists():
            missing.append(parent)
            parent = parent.parent
        for directory in reversed(missing):
            try:
                directory.mkdir(mode=0o750, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise StoreError(
                    f"{directory} cannot be made: {error.strerror}", where=self.where, hint="run: opsctl doctor"
                ) from error
            sync_directory(directory.parent)

    def _walk(self, prefix: str, ending: str) -> Iterator[Stored]:
        """Depth first, on a stack of its own: years of backups are a hundred thousand files."""
        folder = prefix.rpartition("/")[0]
        waiting = [f"{folder}/" if folder else ""]
        while waiting:
            path = waiting.pop()
            if path == "" or path[-1] == "/":
                waiting.extend(self._inside(path, prefix, ending))
                continue
            try:
                found = os.stat(f"{self.directory}/{path}")
            except FileNotFoundError:  # deleted while we list
                continue
            yield Stored(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def _inside(self, folder: str, prefix: str, ending: str) -> Sequence[str]:
        """What a directory holds of keys, the last first, and of directories, with a slash, that may hold some."""
        found = []
        try:
            with os.scandir(f"{self.directory}/{folder}") as entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.name[0] == ".":
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        path += "/"
                        if path.startswith(prefix) or prefix.startswith(path):
                            found.append(path)
                    elif path.endswith(ending) and path.startswith(prefix):
                        found.append(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        found.sort(reverse=True)
        return found

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except OpsError:
            raise
        except OSError as error:
            raise explain(error, key, self.where) from error


class DirectoryUpload:
    """A hidden file that becomes an object by `commit`."""

    def __init__(self, store: DirectoryStore, key: str, path: Path) -> None:
        self._store = store
        self._key = key
        self._final = path
        self._partial = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
        self._file = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440)
        self._ended = threading.Event()
        self._writing = False
        self._sent = 0
        self._state = threading.Lock()

    def write(self, data: memoryview | bytes) -> None:
        """Append bytes. Raises StoreError when the upload was aborted meanwhile."""
        left = memoryview(data)
        failpoint("store.write")
        try:
            while left:
                with self._using():
                    left = left[os.write(self._file, left) :]
                    self._begin_to_write_out()
        except OSError as error:
            raise explain(error, self._key, self._store.where) from error

    @contextlib.contextmanager
    def _using(self) -> Iterator[None]:
        """Use the descriptor; when the upload is aborted in another thread, whoever is last closes it, so that a write
        which hangs for long never ends in a file that was opened since under the same number."""
        with self._state:
            if self._ended.is_set():
                raise StoreError(f"{self._key} was given up", where=self._store.where)
            self._writing = True
        try:
            yield
        finally:
            with self._state:
                self._writing = False
                if self._ended.is_set():
                    os.close(self._file)

    def _begin_to_write_out(self) -> None:
        """Let the kernel send to the disk what has come so far, while more comes: fsync has little left to wait for.

        It does so when it is told that the pages are not needed (mm/fadvise.c), and waits for nothing.
        """
        at = os.lseek(self._file, 0, os.SEEK_CUR)
        if at - self._sent >= WRITE_OUT:
            os.posix_fadvise(self._file, self._sent, at - self._sent, os.POSIX_FADV_DONTNEED)
            self._sent = at

    def commit(self) -> Stored:
        """fsync, link to the final name, fsync the directory."""
        try:
            failpoint("store.before_fsync")
            os.fsync(self._file)
            # Whoever reads it back is to read the disk, not the memory that it was written from.
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
            failpoint("store.before_publish")
            os.link(self._partial, self._final)
            failpoint("store.after_publish")
            self.abort()
            sync_directory(self._final.parent)
            found = self._final.stat()
        except FileExistsError:
            raise ExistsError(f"{self._key} exists already", where=self._store.where) from None
        except OSError as error:
            raise explain(error, self._key, self._store.where) from error
        return Stored(self._key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def abort(self) -> None:
        """Remove the hidden file."""
        with self._state:
            if self._ended.is_set():
                return
            self._ended.set()
            if not self._writing:
                os.close(self._file)
        self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def explain(error: OSError, key: str, where: str) -> StoreError:
    """Turn an operating-system error into one that says what to do."""
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return MissingError(f"{key} is not there", where=where, hint="run: opsctl backup verify")
    if isinstance(error, PermissionError):
        return DeniedError(f"{key}: {reason}", where=where, hint="run: opsctl doctor")
    return StoreError(f"{key}: {reason}", where=where, hint="look at the disk: df -h")


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
