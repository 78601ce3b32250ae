"""Lines of a text file in UTF-8 or UTF-16, with or without a mark, with any line end; few are in memory at once."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from opsctl.core.errors import OpsError

MAX_LINE = 1 << 20
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_CHUNK = 1 << 16


class Line(NamedTuple):
    """A line: its number (from 1), its text, and its bytes when they are not what they should be."""

    number: int
    text: str
    bad: bytes | None


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """Read all lines, without their ends. Raises OpsError for a line longer than 1 MiB, which no export has."""
    start = stream.read(4)
    encoding = _encoding(start)
    if encoding == "utf-8":
        yield from _utf8(start.removeprefix(codecs.BOM_UTF8), stream)
    else:
        yield from _utf16(start[2:] if start[:2] in _UTF16 else start, stream, encoding)


def _encoding(start: bytes) -> str:
    if start[:2] in _UTF16:
        return _UTF16[start[:2]]
    if len(start) == 4 and start[1] == start[3] == 0 and start[0] and start[2]:
        return "utf-16-le"
    if len(start) == 4 and start[0] == start[2] == 0 and start[1] and start[3]:
        return "utf-16-be"
    return "utf-8"


def _utf8(start: bytes, stream: BinaryIO) -> Iterator[Line]:
    for number, raw in enumerate(_split(start, stream), 1):
        try:
            yield Line(number, raw.decode(), None)
        except UnicodeDecodeError:
            yield Line(number, raw.decode(errors="replace"), raw)


def _split(start: bytes, stream: BinaryIO) -> Iterator[bytes]:
    rest = start
    while chunk := stream.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield raw.removesuffix(b"\r")
        _check(len(rest))
    if rest:
        yield rest.removesuffix(b"\r")


def _utf16(start: bytes, stream: BinaryIO, encoding: str) -> Iterator[Line]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    number, rest = 0, decoder.decode(start)
    while chunk := stream.read(_CHUNK):
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        for text in whole:
            number += 1
            yield _line16(number, text.removesuffix("\r"), encoding)
        _check(len(rest))
    rest += decoder.decode(b"", final=True)
    if rest:
        yield _line16(number + 1, rest.removesuffix("\r"), encoding)


def _line16(number: int, text: str, encoding: str) -> Line:
    return Line(number, text, text.encode(encoding) if "\ufffd" in text else None)


def _check(length: int) -> None:
    if length > MAX_LINE:
        raise OpsError("a line is longer than 1 MiB; this is no export of a chat", hint="look at the file: head -c 300")
