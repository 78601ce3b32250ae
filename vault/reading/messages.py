"""Messages for people: found by words, or a chat in its order. What was redacted is neither found nor shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opsctl.core.errors import SettingsError
from opsctl.core.mariadb.connect import Connection, rows

REDACTED = "[redacted]"
# innodb_ft_min_token_size, and the words that InnoDB leaves out of its index (INNODB_FT_DEFAULT_STOPWORD).
_SHORTEST, _LONGEST = 3, 84
_LEFT_OUT = frozenset(
    (
        *("a", "about", "an", "are", "as", "at", "be", "by", "com", "de", "en", "for", "from", "how", "i", "in", "is"),
        *("it", "la", "of", "on", "or", "that", "the", "this", "to", "was", "what", "when", "where", "who", "will"),
        *("with", "und", "www"),
    )
)
# Scripts that are written without spaces, which the index does not take apart.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_SELECT = (
    "SELECT m.id, c.name, m.sent_at, p.name, m.kind, m.body, m.attachment, r.message_id IS NOT NULL,"
    " (SELECT HEX(a.sha256) FROM attachments a WHERE a.message_id = m.id LIMIT 1)"
    " FROM messages m JOIN chats c ON c.id = m.chat_id LEFT JOIN participants p ON p.id = m.sender_id"
    " LEFT JOIN (SELECT DISTINCT message_id FROM redactions) r ON r.message_id = m.id"
)


@dataclass(frozen=True)
class Shown:
    """A message. `sent` is UTC; `media` is the SHA-256 of its file, if the vault has it."""

    id: int
    chat: str
    sent: datetime
    sender: str | None
    kind: str
    body: str
    attachment: str | None
    media: str | None


@dataclass(frozen=True)
class Query:
    """What to look for; times are UTC. With `newest`, the last messages are wanted, not the first."""

    text: str | None = None
    chat: str | None = None
    sender: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100
    newest: bool = False


def find(connection: Connection, query: Query) -> list[Shown]:
    """Messages that fit, in their order. Raises SettingsError for a chat that is not there."""
    if query.chat is not None and not rows(connection, "SELECT 1 FROM chats WHERE name = %s", query.chat):
        names = [name for (name,) in rows(connection, "SELECT name FROM chats ORDER BY name LIMIT 20")]
        raise SettingsError(f"there is no chat '{query.chat}'", hint="there are: " + (", ".join(names) or "none"))
    conditions: list[tuple[str, object]] = []
    if query.text is not None:
        conditions += [("NOT EXISTS (SELECT 1 FROM redactions x WHERE x.message_id = m.id)", None)]
        conditions += text_conditions(query.text)
    wanted: Sequence[tuple[str, object]] = (
        ("c.name = %s", query.chat),
        ("p.name = %s", query.sender),
        ("m.sent_at >= %s", _naive(query.since)),
        ("m.sent_at < %s", _naive(query.until)),
    )
    conditions += [(clause, value) for clause, value in wanted if value is not None]
    where = " AND ".join(clause for clause, _ in conditions) or "TRUE"
    order = "DESC" if query.newest else "ASC"
    statement = f"{_SELECT} WHERE {where} ORDER BY m.sent_at {order}, m.place {order} LIMIT %s"
    values = [value for _, value in conditions if value is not None]
    found = [_shown(row) for row in rows(connection, statement, *values, query.limit)]
    return found[::-1] if query.newest else found


def text_conditions(text: str) -> list[tuple[str, object]]:
    """How to find messages that have every word of a text: by the index where it has the word, else by looking."""
    words = re.findall(r"\w+", text)
    if not words:
        return [("m.body LIKE %s", f"%{_escape(text)}%")]
    indexed = [word for word in words if _is_indexed(word)]
    found: list[tuple[str, object]] = []
    if indexed:
        found.append(("MATCH (m.body) AGAINST (%s IN BOOLEAN MODE)", " ".join(f"+{word}" for word in indexed)))
    others = [word for word in words if word not in indexed]
    return [*found, *(("m.body LIKE %s", f"%{_escape(word)}%") for word in others)]


def _is_indexed(word: str) -> bool:
    plain = "_" not in word and not _UNSPACED.search(word)
    return plain and _SHORTEST <= len(word) <= _LONGEST and word.lower() not in _LEFT_OUT


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _shown(row: tuple[Any, ...]) -> Shown:
    number, chat, sent, sender, kind, body, attachment, redacted, media = row
    if redacted:
        body, attachment, media = REDACTED, None, None
    return Shown(
        number, chat, sent.replace(tzinfo=UTC), sender, kind, body, attachment, None if media is None else media.lower()
    )
