"""Answers of `opsctl vault search`, `show` and `stats`."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.words import printable, size, when
from vault.reading.messages import Shown
from vault.reading.stats import Stats


class MessageRow(BaseModel):
    """A message; `sent` is UTC, `media` the SHA-256 of its file in hexadecimal, if the vault has it."""

    id: int
    chat: str
    sent: datetime
    sender: str | None
    kind: str
    body: str
    attachment: str | None
    media: str | None


class VaultSearch(Document):
    """Messages that were found, oldest first."""

    kind: Literal["vault-search"] = "vault-search"
    messages: tuple[MessageRow, ...]


class VaultShow(Document):
    """Messages of a chat, oldest first."""

    kind: Literal["vault-show"] = "vault-show"
    chat: str
    messages: tuple[MessageRow, ...]


class ChatRow(BaseModel):
    """Figures of one chat; times are UTC, sizes bytes."""

    chat: str
    zone: str
    messages: int
    senders: int
    first: datetime | None
    last: datetime | None
    media: int
    media_bytes: int
    imports: int
    unparsed: int


class VaultStats(Document):
    """Figures of the vault; files that several messages have count once."""

    kind: Literal["vault-stats"] = "vault-stats"
    chats: tuple[ChatRow, ...]
    media: int
    media_bytes: int
    audit_rows: int
    unfinished_imports: int


def rows_of(found: Iterable[Shown]) -> tuple[MessageRow, ...]:
    """Collect messages."""
    return tuple(MessageRow(**asdict(each)) for each in found)


def messages_text(messages: tuple[MessageRow, ...], paint: Painter, *, with_chat: bool) -> Iterator[str]:
    """Write messages as they were said, each with its time, more lines indented."""
    if not messages:
        yield "no messages"
    for row in messages:
        chat = f"{printable(row.chat)}: " if with_chat else ""
        sender = f"{paint(printable(row.sender), 'bold')}: " if row.sender else ""
        first, *more = printable(row.body).split("\n")
        kept = paint(f"  [{row.media[:12]}…]", "cyan") if row.media else ""
        yield f"{paint(when(row.sent), 'dim')}  {chat}{sender}{first}{kept}"
        for line in more:
            yield f"    {line}"


def counted(found: Stats) -> VaultStats:
    """Collect figures."""
    return VaultStats(
        chats=tuple(ChatRow(**asdict(chat)) for chat in found.chats),
        media=found.media,
        media_bytes=found.media_bytes,
        audit_rows=found.audit_rows,
        unfinished_imports=found.unfinished_imports,
    )


def stats_text(document: VaultStats, paint: Painter) -> Iterator[str]:
    """Write a table of chats, and the sums."""
    rows = [
        (
            printable(chat.chat),
            Cell(str(chat.messages), right=True),
            Cell(str(chat.senders), right=True),
            f"{chat.first:%Y-%m-%d}" if chat.first else "",
            f"{chat.last:%Y-%m-%d}" if chat.last else "",
            Cell(size(chat.media_bytes), right=True),
            Cell(str(chat.unparsed), "yellow" if chat.unparsed else None, right=True),
        )
        for chat in document.chats
    ]
    yield from table(("chat", "messages", "senders", "first", "last", "media", "unparsed"), rows, paint)
    pairs = [
        ("media", f"{document.media} files, {size(document.media_bytes)}"),
        ("audit rows", str(document.audit_rows)),
    ]
    if document.unfinished_imports:
        pairs.append(("imports", f"{document.unfinished_imports} were interrupted: run them again"))
    yield from figures(pairs, paint)
