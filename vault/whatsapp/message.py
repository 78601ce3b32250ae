"""What an export consists of: messages, and lines that belong to none."""

import hashlib
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

_DOMAIN = b"opsctl-message-v1"


class Kind(StrEnum):
    """What a message is."""

    TEXT = "text"
    MEDIA = "media"
    OMITTED = "omitted"
    DELETED = "deleted"
    EDITED = "edited"
    SYSTEM = "system"


class Message(NamedTuple):
    """One message. `line` is where it begins (from 1); `sent` has the chat's zone; system lines have
    no sender, or the group as theirs.

    `body` is what the export says, line ends apart; `attachment` is the name of the file that it names.
    """

    line: int
    sent: datetime
    sender: str | None
    kind: Kind
    body: str
    attachment: str | None = None


class Leftover(NamedTuple):
    """A line that is part of no message, or that could not be decoded, byte for byte."""

    line: int
    raw: bytes
    why: str


def digest(chat: str, message: Message) -> bytes:
    """Identify a message: 32 bytes, the same in every export that has it.

    SHA-256 over the domain and then chat, wall-clock time (`2026-05-01T02:30:00`), sender (absent and empty differ),
    kind, attachment and body, each as UTF-8 behind its length (u64, big-endian; all ones when absent).
    """
    wall = message.sent.isoformat()[:19].encode()
    body = message.body.encode()
    parts = (
        *(_DOMAIN, _framed(chat), len(wall).to_bytes(8, "big"), wall, _framed(message.sender)),
        *(_framed(message.kind.value), _framed(message.attachment), len(body).to_bytes(8, "big"), body),
    )
    return hashlib.sha256(b"".join(parts)).digest()


@lru_cache(maxsize=4096)
def _framed(text: str | None) -> bytes:
    """A text behind its length; what is absent has a length that no text has."""
    if text is None:
        return b"\xff" * 8
    data = text.encode()
    return len(data).to_bytes(8, "big") + data
