"""The SFTP protocol against servers that answer late, short, out of order, or nonsense."""

import contextlib
import struct

import pytest

from opsctl.core.errors import UnreachableError
from opsctl.core.store.sftp_packets import Kind
from opsctl.core.store.sftp_protocol import SftpChannel, StatusError
from opsctl.core.store.sftp_stream import SftpStream


def _packet(kind: int, body: bytes) -> bytes:
    return struct.pack(">IB", len(body) + 1, kind) + body


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


HELLO = _packet(Kind.VERSION, struct.pack(">I", 3) + _string(b"fsync@openssh.com") + _string(b"1"))


class Script:
    """A channel that plays what a server says, in pieces of a few bytes, and remembers what it was told."""

    def __init__(self, *said: bytes, piece: int = 7) -> None:
        self._said = b"".join(said)
        self._piece = piece
        self.heard = b""
        self.closed = False

    def recv(self, nbytes: int) -> bytes:
        piece, self._said = self._said[: self._piece], self._said[self._piece :]
        return piece

    def sendall(self, s: bytes) -> None:
        self.heard += s

    def close(self) -> None:
        self.closed = True

    def get_transport(self) -> object:
        return self


def _status(number: int, code: int, text: bytes = b"said") -> bytes:
    return _packet(Kind.STATUS, struct.pack(">II", number, code) + _string(text) + _string(b"en"))


def _data(number: int, data: bytes) -> bytes:
    return _packet(Kind.DATA, struct.pack(">I", number) + _string(data))


def test_extensions_are_known_by_name() -> None:
    assert SftpChannel(Script(HELLO), "x").extensions == {"fsync@openssh.com"}


def test_answers_may_come_in_any_order() -> None:
    channel = SftpChannel(Script(HELLO, _data(2, b"two"), _status(3, 0), _data(1, b"one")), "x")
    one, two = channel.request_read(b"h", 0, 3), channel.request_read(b"h", 3, 3)
    three = channel.request_write(b"h", 6, b"xyz")
    assert channel.data(one) == b"one"
    assert channel.data(two) == b"two"
    channel.settle(three)


def test_a_write_that_failed_is_not_forgotten_by_what_succeeded_after_it() -> None:
    channel = SftpChannel(Script(HELLO, _status(1, 4, b"Failure"), _status(2, 0)), "x")
    one, two = channel.request_write(b"h", 0, b"a"), channel.request_write(b"h", 1, b"b")
    channel.settle(two)
    with pytest.raises(StatusError, match="Failure"):
        channel.settle(one)


def test_what_a_server_says_cannot_reach_a_terminal() -> None:
    channel = SftpChannel(Script(HELLO, _status(1, 4, b"\x1b[2Jgone\n")), "x")
    with pytest.raises(StatusError) as caught:
        channel.settle(channel.request_write(b"h", 0, b"a"))
    assert caught.value.text == "[2Jgone"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        HELLO[:9],
        b"This account is currently not available.\n",
        _packet(Kind.VERSION, struct.pack(">I", 6)),
        _packet(Kind.VERSION, struct.pack(">I", 3) + _string(b"name without value")),
        _packet(Kind.STATUS, struct.pack(">I", 3)),
        struct.pack(">I", 0xFFFFFFFF) + b"x" * 100,
    ],
)
def test_a_server_that_speaks_no_sftp_is_given_up(said: bytes) -> None:
    script = Script(said)
    with pytest.raises(UnreachableError):
        SftpChannel(script, "sftp://x")
    assert script.closed


@pytest.mark.parametrize(
    "answer",
    [
        _packet(Kind.DATA, struct.pack(">II", 1, 500) + b"short"),
        _packet(Kind.NAME, struct.pack(">II", 1, 1)),
        _packet(Kind.STATUS, struct.pack(">I", 1)),
        _packet(Kind.STATUS, struct.pack(">II", 1, 0)),
        _packet(Kind.DATA, b"\x00"),
        _status(7, 0),
    ],
)
def test_an_answer_that_is_none_ends_the_connection(answer: bytes) -> None:
    script = Script(HELLO, answer)
    channel = SftpChannel(script, "sftp://x")
    with pytest.raises((UnreachableError, StatusError)) as caught:
        channel.data(channel.request_read(b"h", 0, 10))
    if not isinstance(caught.value, StatusError):
        assert script.closed


def test_a_server_may_give_less_than_was_asked_for() -> None:
    said = (
        HELLO,
        _packet(Kind.HANDLE, struct.pack(">I", 1) + _string(b"h")),
        _data(2, b"01234"),
        _data(3, b"56"),
        _data(4, b"789"),
    )
    stream = SftpStream(SftpChannel(Script(*said), "x"), "/f", offset=0, size=10, watch=_nothing)
    found, buffer = b"", memoryview(bytearray(100))
    while count := stream.readinto(buffer):
        found += buffer[:count]
    assert found == b"0123456789"


def _nothing(channel: SftpChannel) -> "contextlib.AbstractContextManager[None]":
    return contextlib.nullcontext()
