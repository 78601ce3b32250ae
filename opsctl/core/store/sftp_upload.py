"""Writing a file over SFTP: many writes under way at once, and over a new connection what the old one left undone."""

import contextlib
import secrets
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.failpoints import failpoint
from opsctl.core.store import PARTIAL, MissingError, Stored
from opsctl.core.store.resilient import Patience
from opsctl.core.store.sftp_packets import Open, Status
from opsctl.core.store.sftp_protocol import BLOCK, FSYNC, StatusError
from opsctl.core.store.sftp_stream import WINDOW

if TYPE_CHECKING:
    from opsctl.core.store.sftp import SftpStore


class SftpUpload:
    """A hidden file beside its final name, which `commit` gives it by a hard link: that refuses a name that is taken.

    What the server has not confirmed is kept, 2 MiB at most, and sent again over a new connection.
    """

    def __init__(self, store: "SftpStore", key: str, path: str, patience: Patience) -> None:
        folder, _, _ = path.rpartition("/")
        self._store = store
        self._key = key
        self._final = path
        self._partial = f"{folder}/{PARTIAL}{secrets.token_hex(8)}"
        self._patience = patience
        self._offset = 0
        self._pending: deque[tuple[int, int, bytes]] = deque()
        self._open = True
        self._channel = store.connect()
        try:
            self._handle = self._channel.open(self._partial, Open.WRITE | Open.CREATE | Open.EXCLUSIVE)
        except BaseException:
            self._channel.close()
            raise

    def write(self, data: memoryview | bytes) -> None:
        """Append bytes."""
        failpoint("store.write")
        left = memoryview(data)
        with self._store.explained(self._key):
            while left:
                block = bytes(left[:BLOCK])
                left = left[len(block) :]
                self._keep_on(partial(self._send, block))
                self._offset += len(block)

    def commit(self) -> Stored:
        """Wait for all writes, make them durable, link to the final name, remove the hidden one."""
        with self._store.explained(self._key):
            self._keep_on(self._settle_all)
            failpoint("store.before_publish")
            self._store.publish(self._key, self._partial, self._final, self._offset)
            failpoint("store.after_publish")
            self.abort()
            stored = self._store.stat(self._key)
        if stored is None:
            raise MissingError(f"{self._key} went away as soon as it was published", where=self._store.where)
        return stored

    def abort(self) -> None:
        """Remove the hidden file, if the server can be reached."""
        if self._open:
            self._open = False
            self._channel.close()
            with contextlib.suppress(OpsError, StatusError):
                self._store.ask(lambda channel: channel.remove(self._partial))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UnreachableError):  # waiting for the server once more would help nobody
            self._open = False
            self._channel.close()
        self.abort()

    def _send(self, block: bytes) -> None:
        while len(self._pending) >= WINDOW:
            self._settle_one()
        number = self._channel.request_write(self._handle, self._offset, block)
        self._pending.append((number, self._offset, block))

    def _settle_one(self) -> None:
        self._channel.settle(self._pending[0][0])
        self._pending.popleft()
        self._patience.progress()

    def _settle_all(self) -> None:
        while self._pending:
            self._settle_one()
        failpoint("store.before_fsync")
        if FSYNC in self._channel.extensions:
            self._channel.fsync(self._handle)
        self._channel.close_handle(self._handle)

    def _keep_on(self, step: Callable[[], None]) -> None:
        """Take a step; after a lost connection, once more over a new one that has caught up."""
        connected = True
        while True:
            try:
                if not connected:
                    self._channel = self._store.connect()
                    self._catch_up()
                    connected = True
                step()
            except UnreachableError as error:
                connected = False
                self._store.lost(self._channel)
                if not self._open:  # another thread gave the upload up
                    raise
                self._patience.failed(error)
                continue
            return

    def _catch_up(self) -> None:
        self._handle = self._channel.open(self._partial, Open.WRITE)
        confirmed = self._pending[0][1] if self._pending else self._offset
        if self._channel.handle_attributes(self._handle).size < confirmed:
            raise StatusError(Status.FAILURE, "what it had confirmed is gone")
        self._pending = deque(
            (self._channel.request_write(self._handle, offset, block), offset, block)
            for _, offset, block in self._pending
        )
