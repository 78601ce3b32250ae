"""A store that is a directory on an SFTP server."""

import contextlib
import io
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import BufferedIOBase
from typing import TypeVar

from opsctl.core.errors import UnreachableError
from opsctl.core.store import PARTIAL, DeniedError, ExistsError, MissingError, Stored, StoreError, check_key
from opsctl.core.store.resilient import WAITS_S, Patience, ResumingReader
from opsctl.core.store.sftp_connection import SftpConnection, SftpServer
from opsctl.core.store.sftp_packets import Attributes, Open, Status
from opsctl.core.store.sftp_protocol import BLOCK, HARDLINK, SftpChannel, StatusError
from opsctl.core.store.sftp_stream import SftpStream
from opsctl.core.store.sftp_upload import SftpUpload
from opsctl.core.store.tamper import Attack

Answer = TypeVar("Answer")


class SftpStore:
    """Objects are files below a directory of an SFTP account, which has to be there.

    Publishing needs OpenSSH's hardlink extension: it is atomic and refuses an existing name, which a rename need not.
    `waits_s`: the seconds between attempts to go on with a transfer whose connection was lost.
    """

    def __init__(self, server: SftpServer, path: str, *, waits_s: Sequence[float] = WAITS_S) -> None:
        self._server = server
        self._root = path.rstrip("/")
        self._waits_s = waits_s
        self._connection = SftpConnection(server)
        self._channel: SftpChannel | None = None
        self._lock = threading.RLock()
        weakref.finalize(self, self._connection.close)

    @property
    def where(self) -> str:
        """The account and the directory."""
        return f"{self._server.where}{'' if self._root.startswith('/') else '/'}{self._root}"

    def create(self, key: str, *, retain_until: datetime | None = None) -> SftpUpload:
        """Begin an object; the protocol has no locks, so `retain_until` is refused."""
        path = self._path(key)
        if retain_until is not None:
            raise DeniedError("SFTP cannot lock objects", where=self.where, hint="use an S3 store")
        with self.explained(key):
            if self._look(path) is not None:
                raise ExistsError(f"{key} exists already", where=self.where)
            try:
                return SftpUpload(self, key, path, Patience(self._waits_s))
            except StatusError as error:
                if error.code != Status.NO_SUCH_FILE:
                    raise
            self._make_parents(key)
            return SftpUpload(self, key, path, Patience(self._waits_s))

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        """Read the file from a byte offset; the reader goes on by itself after a lost connection."""
        path = self._path(key)
        with self.explained(key):
            found = self._look(path)
        if found is None or not found.is_file:
            raise MissingError(f"{key} is not there", where=self.where, hint="run: opsctl backup verify")

        @contextlib.contextmanager
        def watch(channel: SftpChannel) -> Iterator[None]:
            with self.explained(key), self.noticed(channel):
                yield

        def open_at(position: int) -> SftpStream:
            return SftpStream(self.connect(), path, offset=position, size=found.size, watch=watch)

        patience = Patience(self._waits_s)
        return io.BufferedReader(
            ResumingReader(open_at, offset=offset, size=found.size, name=key, where=self.where, patience=patience),
            buffer_size=BLOCK,
        )

    def stat(self, key: str) -> Stored | None:
        """Look at the file."""
        path = self._path(key)
        with self.explained(key):
            found = self._look(path)
        return _stored(key, found) if found is not None and found.is_file else None

    def list(self, prefix: str, *, ending: str = "") -> Iterator[Stored]:
        """Walk only the part of the tree in which keys with this prefix can lie."""
        for key, found in self._walk(prefix.rpartition("/")[0], prefix):
            if key.endswith(ending) and not key.rpartition("/")[2].startswith("."):
                yield _stored(key, found)

    def delete(self, key: str) -> None:
        """Remove the file, and the directories that are empty then."""
        if self.stat(key) is None:
            raise MissingError(f"{key} is not there", where=self.where)
        with self.explained(key):
            self._remove(self._path(key))
            folder = key.rpartition("/")[0]
            while folder:
                try:
                    self._rmdir(self._file(folder))
                except StatusError:
                    break
                folder = folder.rpartition("/")[0]

    def remove_partials(self, prefix: str, *, older_than: datetime) -> int:
        """Remove the hidden files."""
        removed = 0
        for key, found in list(self._walk(prefix.rpartition("/")[0], prefix)):
            if key.rpartition("/")[2].startswith(PARTIAL) and _stored(key, found).modified < older_than:
                with self.explained(key):
                    self._remove(self._file(key))
                removed += 1
        return removed

    def attacks(self, key: str) -> Mapping[str, Attack]:
        """What the protocol offers: remove, write, truncate, rename."""
        path = self._path(key)

        def carry_out(harm: Callable[[SftpChannel], object]) -> Attack:
            def attack() -> None:
                with self.explained(key):
                    self.ask(harm)

            return attack

        def overwrite(channel: SftpChannel) -> None:
            channel.settle(channel.request_write(channel.open(path, Open.WRITE), 0, b"forged"))

        return {
            "delete": carry_out(lambda channel: channel.remove(path)),
            "overwrite": carry_out(overwrite),
            "truncate": carry_out(lambda channel: channel.open(path, Open.WRITE | Open.TRUNCATE)),
            "rename": carry_out(lambda channel: channel.rename(path, f"{path}-renamed")),
        }

    def close(self) -> None:
        """End the connection. The store may still be used and connects again."""
        self._connection.close()

    def connect(self) -> SftpChannel:
        """Open a channel of its own for one transfer."""
        return self._connection.channel()

    def lost(self, channel: SftpChannel) -> None:
        """Forget the connection of a channel that failed."""
        self._connection.lost(channel.transport)

    @contextlib.contextmanager
    def noticed(self, channel: SftpChannel) -> Iterator[None]:
        """Forget the connection of this channel when it turns out to be lost."""
        try:
            yield
        except UnreachableError:
            self.lost(channel)
            raise

    def ask(self, question: Callable[[SftpChannel], Answer]) -> Answer:
        """Ask over the channel that all short questions share; once more over a new one if it was lost meanwhile."""
        with self._lock:
            if self._channel is not None:
                try:
                    return self._ask_once(self._channel, question)
                except UnreachableError:
                    self._channel = None
            self._channel = self._first_channel()
            return self._ask_once(self._channel, question)

    def _ask_once(self, channel: SftpChannel, question: Callable[[SftpChannel], Answer]) -> Answer:
        with self.noticed(channel):
            return question(channel)

    def publish(self, key: str, hidden: str, final: str, size: int) -> None:
        """Give an upload of so many bytes its final name. Raises ExistsError when that is taken, whoever took it."""
        with self._lock:
            channel, found = self.ask(lambda channel: (channel, channel.attributes(hidden)))
            if found.size != size:
                raise StatusError(Status.FAILURE, f"{found.size} of {size} bytes have arrived")
            if HARDLINK not in channel.extensions:
                hint = "use a server with OpenSSH's sftp-server"
                raise StoreError(f"the server does not offer {HARDLINK}", where=self.where, hint=hint)
            try:
                # Asked for once: after a lost answer nobody knows whether the name is ours, and a second attempt
                # would only find it taken.
                self._ask_once(channel, lambda channel: channel.hardlink(hidden, final))
            except StatusError as error:
                if error.code == Status.FAILURE and self._look(final) is not None:
                    raise ExistsError(f"{key} exists already", where=self.where) from None
                raise

    @contextlib.contextmanager
    def explained(self, key: str) -> Iterator[None]:
        """Say what the server refused in terms of a key."""
        try:
            yield
        except StatusError as error:
            if error.code == Status.NO_SUCH_FILE:
                hint = "run: opsctl backup verify"
                raise MissingError(f"{key} is not there", where=self.where, hint=hint) from error
            if error.code == Status.PERMISSION_DENIED:
                raise DeniedError(f"{key}: {error.text}", where=self.where, hint="run: opsctl doctor") from error
            hint = "look at the disk of the server: df -h"
            raise StoreError(f"{key}: the server says '{error.text}'", where=self.where, hint=hint) from error

    def _first_channel(self) -> SftpChannel:
        channel = self._connection.channel()
        try:
            there = channel.followed(self._root or "/").is_directory
        except StatusError:
            there = False
        if not there:
            channel.close()
            hint = "is its disk mounted? A new one is made on the server: mkdir -m 0750"
            raise StoreError("the repository's directory is not there", where=self.where, hint=hint)
        return channel

    def _remove(self, path: str) -> None:
        try:
            self.ask(lambda channel: channel.remove(path))
        except StatusError as error:
            if error.code != Status.NO_SUCH_FILE:  # the first attempt did it, and its answer was lost
                raise

    def _rmdir(self, path: str) -> None:
        self.ask(lambda channel: channel.rmdir(path))

    def _mkdir(self, path: str) -> None:
        self.ask(lambda channel: channel.mkdir(path))

    def _look(self, path: str) -> Attributes | None:
        try:
            return self.ask(lambda channel: channel.attributes(path))
        except StatusError as error:
            if error.code == Status.NO_SUCH_FILE:
                return None
            raise

    def _make_parents(self, key: str) -> None:
        parts = key.split("/")[:-1]
        for end in range(1, len(parts) + 1):
            folder = self._file("/".join(parts[:end]))
            try:
                self._mkdir(folder)
            except StatusError:
                found = self._look(folder)
                if found is None or not found.is_directory:
                    raise

    def _walk(self, folder: str, prefix: str) -> Iterator[tuple[str, Attributes]]:
        try:
            with self.explained(folder or "/"):
                entries = self.ask(lambda channel: channel.entries(self._file(folder)))
        except MissingError:
            return
        for name, found in sorted(entries, key=_sort_name):
            key = f"{folder}/{name}" if folder else name
            if found.is_directory and not name.startswith("."):
                if key.startswith(prefix) or prefix.startswith(f"{key}/"):
                    yield from self._walk(key, prefix)
            elif found.is_file and key.startswith(prefix):
                yield key, found

    def _path(self, key: str) -> str:
        check_key(key, self.where)
        return self._file(key)

    def _file(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root or "/"


def _stored(key: str, found: Attributes) -> Stored:
    return Stored(key, found.size, datetime.fromtimestamp(found.mtime, UTC))


def _sort_name(entry: tuple[str, Attributes]) -> str:
    name, found = entry
    return f"{name}/" if found.is_directory else name
