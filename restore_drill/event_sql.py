"""What statements about events of the event scheduler say: just enough of their grammar to follow an event's status.

https://mariadb.com/docs/server/server-usage/triggers-events/event-scheduler/events
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

_TOKEN = re.compile(
    r"""(?P<skip>\s+|/\*[!M]*\d*|\*/|--[^\n]*|\#[^\n]*)
      | `(?P<back>(?:[^`]|``)*)`
      | '(?P<single>(?:[^'\\]|\\.|'')*)'
      | "(?P<double>(?:[^"\\]|\\.|"")*)"
      | (?P<word>[\w$]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*(?![!M]).*?\*/", re.DOTALL)


class EventStatus(StrEnum):
    """The column `status` of mysql.event."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    SLAVESIDE_DISABLED = "SLAVESIDE_DISABLED"


Name = tuple[str, str]  # database, event


@dataclass(frozen=True)
class EventChange:
    """One statement about an event. `status` is None where it does not say one; `renamed` where it keeps its name.

    A dropped database is a `drop` with an empty event name.
    """

    action: Literal["create", "alter", "drop"]
    name: Name
    if_not_exists: bool = False
    status: EventStatus | None = None
    renamed: Name | None = None


@dataclass(frozen=True)
class _Word:
    """A token: its text, and whether it was written plainly (only then it can be a keyword)."""

    text: str
    plain: bool

    def is_(self, *keywords: str) -> bool:
        return self.plain and self.text.upper() in keywords


def parse_event_statement(sql: str, database: str) -> EventChange | None:
    """Read a statement run in `database`; None when it is about no event."""
    words = _Words(_tokens(sql))
    verb = words.take("CREATE", "ALTER", "DROP")
    if verb is None:
        return None
    if words.take("OR"):
        words.take("REPLACE")
    _skip_definer(words)
    if verb == "DROP" and words.take("DATABASE", "SCHEMA"):
        _skip_if_exists(words)
        return EventChange("drop", (words.next().text, ""))
    if not words.take("EVENT"):
        return None
    existing = _skip_if_exists(words)
    name = _name(words, database)
    if verb == "DROP":
        return EventChange("drop", name)
    status, renamed = _clauses(words, name[0])
    if verb == "ALTER":
        return EventChange("alter", name, status=status, renamed=renamed)
    return EventChange("create", name, if_not_exists=existing, status=status or EventStatus.ENABLED)


class _Words:
    """The tokens of a statement, taken one after the other; beyond the end they are empty."""

    def __init__(self, tokens: list[_Word]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> _Word:
        return self._tokens[self._at] if self.more else _Word("", plain=False)

    def next(self) -> _Word:
        word = self.peek()
        self._at += 1
        return word

    def take(self, *keywords: str) -> str | None:
        """Take the next token if it is one of these."""
        if self.peek().is_(*keywords):
            return self.next().text.upper()
        return None


def _tokens(sql: str) -> list[_Word]:
    found = []
    for match in _TOKEN.finditer(_COMMENT.sub(" ", sql)):
        kind, text = match.lastgroup, match.group(match.lastgroup or 0)
        if kind == "back":
            found.append(_Word(text.replace("``", "`"), plain=False))
        elif kind in ("single", "double"):
            found.append(_Word(text.replace('""', '"'), plain=False))
        elif kind != "skip":
            found.append(_Word(text, plain=True))
    return found


def _skip_definer(words: _Words) -> None:
    """Pass over `DEFINER = user@host`, a role, or CURRENT_USER()."""
    if not words.take("DEFINER"):
        return
    words.take("=")
    words.next()
    if words.take("@"):
        words.next()
    if words.take("("):
        words.take(")")


def _skip_if_exists(words: _Words) -> bool:
    if not words.take("IF"):
        return False
    words.take("NOT")
    words.take("EXISTS")
    return True


def _name(words: _Words, database: str) -> Name:
    first = words.next().text
    return (first, words.next().text) if words.take(".") else (database, first)


def _clauses(words: _Words, database: str) -> tuple[EventStatus | None, Name | None]:
    """Status and new name from the clauses before DO, after which comes the event's body."""
    status: EventStatus | None = None
    renamed: Name | None = None
    while words.more and not words.peek().is_("DO"):
        if words.take("ENABLE"):
            status = EventStatus.ENABLED
        elif words.take("DISABLE"):
            on_replica = words.take("ON") and words.take("SLAVE", "REPLICA")
            status = EventStatus.SLAVESIDE_DISABLED if on_replica else EventStatus.DISABLED
        elif words.take("RENAME"):
            words.take("TO")
            renamed = _name(words, database)
        else:
            words.next()
    return status, renamed
