"""Reads an export from text, for tests."""

import io
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from vault.whatsapp.lines import read_lines
from vault.whatsapp.message import Leftover, Message
from vault.whatsapp.parse import parse
from vault.whatsapp.survey import DateOrder, survey

UTC = ZoneInfo("UTC")


def read(
    text: str | bytes, *, order: DateOrder | None = None, zone: ZoneInfo = UTC
) -> tuple[list[Message], list[Leftover]]:
    """All messages and leftovers of an export."""
    data = text.encode() if isinstance(text, str) else text
    found = survey(read_lines(io.BytesIO(data)), order=order)
    items = list(parse(read_lines(io.BytesIO(data)), found, zone))
    return [i for i in items if isinstance(i, Message)], [i for i in items if isinstance(i, Leftover)]


def messages(text: str | bytes, *, order: DateOrder | None = None, zone: ZoneInfo = UTC) -> list[Message]:
    """All messages of an export that leaves nothing over."""
    found, left = read(text, order=order, zone=zone)
    assert left == []
    return found


def brief(found: Iterable[Message]) -> list[tuple[str, str | None, str]]:
    """Wall-clock time, sender and body of messages."""
    return [(f"{m.sent:%Y-%m-%d %H:%M:%S}", m.sender, m.body) for m in found]


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
