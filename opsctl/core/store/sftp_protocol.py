"""The SFTP protocol, version 3, on one SSH channel (draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL, section 4).

paramiko brings SSH, but not this: its SFTP client forgets the failure of a write that it did not wait for, tells no
full disk from a lost connection, and hides which extensions the server has. Here a request returns its number at
once, and every answer is asked for; so many can be under way and none is ever lost.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import paramiko

from opsctl.core.errors import UnreachableError
from opsctl.core.store.sftp_packets import Attributes, Body, Kind, MalformedError, Open, Status, string

VERSION = 3
BLOCK = 32768  # what every server must take and give at once
HARDLINK = "hardlink@openssh.com"
FSYNC = "fsync@openssh.com"
_MAX_PACKET = 1 << 20
_RECEIVE = 1 << 16
_LOST = (OSError, EOFError, paramiko.SSHException)
Parsed = TypeVar("Parsed")


class StatusError(Exception):
    """The server refused a request; the connection is as good as before."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = "".join(filter(str.isprintable, text)) or f"status {code}"


class Channel(Protocol):
    """What this protocol needs of an SSH channel, whose timeout bounds each of them."""

    def recv(self, nbytes: int) -> bytes:
        """Return what has arrived, nothing at the end."""
        ...

    def sendall(self, s: bytes) -> None:
        """Send it all."""
        ...

    def close(self) -> None:
        """End the channel."""
        ...

    def get_transport(self) -> object:
        """The connection it belongs to."""
        ...


class SftpChannel:
    """One conversation with a server, for one thread at a time.

    Every method raises StatusError when the server refuses, and UnreachableError when it does not answer; the channel
    is closed then, as it is when it was interrupted half-way.
    """

    def __init__(self, channel: Channel, where: str) -> None:
        self._channel = channel
        self._where = where
        self._received = bytearray()
        self._answers: dict[int, tuple[int, Body]] = {}
        self._number = 0
        self._transmit(struct.pack(">BI", Kind.INIT, VERSION))
        kind, body = self._packet()
        try:
            if kind != Kind.VERSION or body.u32() != VERSION:
                raise self._lost("it does not speak SFTP version 3")
            self.extensions = frozenset(body.extensions())
        except MalformedError as error:
            raise self._lost("what it says is not SFTP") from error

    @property
    def transport(self) -> object:
        """The connection that this channel belongs to."""
        return self._channel.get_transport()

    def close(self) -> None:
        """End the conversation; the server closes its files."""
        with contextlib.suppress(*_LOST):  # it says goodbye, perhaps to nobody
            self._channel.close()

    def open(self, path: str, flags: int, mode: int = 0o640) -> bytes:
        """Open a file and return its handle."""
        attributes = struct.pack(">II", 0x04, mode) if flags & Open.CREATE else struct.pack(">I", 0)
        return self._handle(self.request(Kind.OPEN, string(path) + struct.pack(">I", flags) + attributes))

    def close_handle(self, handle: bytes) -> None:
        """Close a file or directory."""
        self.settle(self.request(Kind.CLOSE, string(handle)))

    def request_read(self, handle: bytes, offset: int, length: int) -> int:
        """Ask for up to `length` bytes at an offset."""
        return self.request(Kind.READ, string(handle) + struct.pack(">QI", offset, length))

    def data(self, number: int) -> bytes:
        """The bytes that were asked for, perhaps fewer; none at the end of the file."""
        try:
            return self._expect(number, Kind.DATA, Body.string)
        except StatusError as error:
            if error.code == Status.EOF:
                return b""
            raise

    def request_write(self, handle: bytes, offset: int, data: bytes) -> int:
        """Ask to write bytes at an offset; `settle` tells whether that was done."""
        return self.request(Kind.WRITE, string(handle) + struct.pack(">Q", offset) + string(data))

    def fsync(self, handle: bytes) -> None:
        """Make what was written durable."""
        self.settle(self.request(Kind.EXTENDED, string(FSYNC) + string(handle)))

    def hardlink(self, old: str, new: str) -> None:
        """Give a file a second name, unless that is taken."""
        self.settle(self.request(Kind.EXTENDED, string(HARDLINK) + string(old) + string(new)))

    def attributes(self, path: str) -> Attributes:
        """Look at a file; a link is not followed."""
        return self._expect(self.request(Kind.LSTAT, string(path)), Kind.ATTRS, Body.attributes)

    def followed(self, path: str) -> Attributes:
        """Look at a file, behind links."""
        return self._expect(self.request(Kind.STAT, string(path)), Kind.ATTRS, Body.attributes)

    def handle_attributes(self, handle: bytes) -> Attributes:
        """Look at an open file."""
        return self._expect(self.request(Kind.FSTAT, string(handle)), Kind.ATTRS, Body.attributes)

    def entries(self, path: str) -> list[tuple[str, Attributes]]:
        """Everything in a directory but `.` and `..`, in no order."""
        handle = self._handle(self.request(Kind.OPENDIR, string(path)))
        found: list[tuple[str, Attributes]] = []
        while True:
            try:
                found += self._expect(self.request(Kind.READDIR, string(handle)), Kind.NAME, Body.names)
            except StatusError as error:
                if error.code == Status.EOF:
                    break
                raise
        self.close_handle(handle)
        return [(name, attributes) for name, attributes in found if name not in {".", ".."}]

    def remove(self, path: str) -> None:
        """Remove a file."""
        self.settle(self.request(Kind.REMOVE, string(path)))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self.settle(self.request(Kind.RENAME, string(old) + string(new)))

    def mkdir(self, path: str) -> None:
        """Make a directory of mode 0750."""
        self.settle(self.request(Kind.MKDIR, string(path) + struct.pack(">II", 0x04, 0o750)))

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self.settle(self.request(Kind.RMDIR, string(path)))

    def request(self, kind: Kind, body: bytes) -> int:
        """Send a request and return its number."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._transmit(struct.pack(">BI", kind, self._number) + body)
        return self._number

    def settle(self, number: int) -> None:
        """Wait until a request is done."""
        self._expect(number, Kind.STATUS, Body.rest)

    def _handle(self, number: int) -> bytes:
        return self._expect(number, Kind.HANDLE, Body.string)

    def _expect(self, number: int, wanted: Kind, parse: Callable[[Body], Parsed]) -> Parsed:
        try:
            while number not in self._answers:
                kind, body = self._packet()
                self._answers[body.u32()] = (kind, body)
            kind, body = self._answers.pop(number)
            if kind == Kind.STATUS:
                code = body.u32()
                if code != Status.OK or wanted != Kind.STATUS:
                    raise StatusError(code, body.string().decode(errors="replace"))
            elif kind != wanted:
                raise self._lost(f"it answered with a packet of type {kind}")
            return parse(body)
        except MalformedError as error:
            raise self._lost("what it says is not SFTP") from error

    def _transmit(self, packet: bytes) -> None:
        with self._closed_by_failure():
            self._channel.sendall(struct.pack(">I", len(packet)) + packet)

    def _packet(self) -> tuple[int, Body]:
        with self._closed_by_failure():
            self._receive(4)
            length = struct.unpack_from(">I", self._received)[0]
            if not 5 <= length <= _MAX_PACKET:
                raise self._lost("what it says is not SFTP")
            self._receive(4 + length)
        packet = bytes(self._received[4 : 4 + length])
        del self._received[: 4 + length]
        return packet[0], Body(packet[1:])

    def _receive(self, size: int) -> None:
        while len(self._received) < size:
            arrived = self._channel.recv(_RECEIVE)
            if not arrived:
                raise self._lost("the connection was lost")
            self._received += arrived

    @contextlib.contextmanager
    def _closed_by_failure(self) -> Iterator[None]:
        """Half a packet may be on its way: whatever happened, this channel is of no more use."""
        try:
            yield
        except TimeoutError as error:
            raise self._lost("it does not answer any more") from error
        except _LOST as error:
            raise self._lost(f"the connection was lost: {str(error) or type(error).__name__}") from error
        except BaseException:
            self.close()
            raise

    def _lost(self, why: str) -> UnreachableError:
        self.close()
        return UnreachableError(f"the SFTP server is not to be used: {why}", where=self._where, hint="opsctl doctor")
