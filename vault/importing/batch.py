"""Writes a batch of messages into the archive, in one transaction: all of it or nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymysql.converters import escape_string

from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.connect import Connection, rows
from vault.importing.align import Incoming, Known, Placed, align
from vault.importing.media import Medium
from vault.importing.source import spelled
from vault.whatsapp.message import Leftover, Message

_WALL = "%Y-%m-%d %H:%M:%S"


@dataclass
class Batch:
    """Messages with their digests, and leftovers, that are written together."""

    messages: list[tuple[Message, bytes]] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    size: int = 0

    def add(self, item: Message | Leftover, digest: bytes | None) -> None:
        """Add one."""
        if isinstance(item, Leftover):
            self.leftovers.append(item)
            self.size += len(item.raw)
        elif digest is not None:
            self.messages.append((item, digest))
            self.size += len(item.body)


class Writer:
    """Writes the batches of one import into one chat."""

    def __init__(self, connection: Connection, chat_id: int, import_id: int, media: dict[str, Medium]) -> None:
        self._connection = connection
        self._chat = chat_id
        self._import = import_id
        self._media = media
        found = rows(connection, "SELECT id, name FROM participants WHERE chat_id = %s", chat_id)
        self._ids: dict[str, int] = {name: number for number, name in found}
        self._names: dict[int | None, str | None] = dict(found)
        last = rows(connection, "SELECT MAX(sent_local) FROM messages WHERE chat_id = %s", chat_id)[0][0]
        self._last = "" if last is None else last.strftime(_WALL)

    def write(self, batch: Batch) -> int:
        """Write a batch; return how many messages of it are new."""
        with self._connection.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            self._learn(message.sender for message, _ in batch.messages)
            placed = self._place(batch.messages)
            new = [(message, digest, placed[message.line]) for message, digest in batch.messages]
            new = [row for row in new if row[2].known is None]
            self._insert("messages", _MESSAGE, [self._message(*row) for row in new])
            self._note_held(batch.messages, placed)
            self._attach(batch.messages)
            leftovers = [_values(self._import, item.line, item.raw) for item in batch.leftovers]
            self._insert("unparsed_lines", "import_id, line_no, raw", leftovers)
            failpoint("vault.import.batch")
            cursor.execute("COMMIT")
        return len(new)

    def _learn(self, names: Iterable[str | None]) -> None:
        """Get to know senders."""
        for name in sorted({name for name in names if name is not None} - self._ids.keys()):
            rows(self._connection, "INSERT IGNORE INTO participants (chat_id, name) VALUES (%s, %s)", self._chat, name)
            find = "SELECT id FROM participants WHERE chat_id = %s AND name = %s"
            number = rows(self._connection, find, self._chat, name)[0][0]
            self._ids[name], self._names[number] = number, name

    def _place(self, messages: Sequence[tuple[Message, bytes]]) -> dict[int, Placed]:
        """Decide for each line whether its message is there, and where it belongs."""
        groups: dict[str, list[Incoming]] = defaultdict(list)
        for message, digest in messages:
            incoming = Incoming(message.line, digest, message.sender, message.kind)
            groups[_wall(message.sent)].append(incoming)
        known = self._known([wall for wall in groups if wall <= self._last])
        self._last = max(self._last, *groups) if groups else self._last
        placed = (each for wall, group in groups.items() for each in align(known.get(wall, ()), group))
        return {each.line: each for each in placed}

    def _known(self, walls: list[str]) -> dict[str, list[Known]]:
        found: dict[str, list[Known]] = defaultdict(list)
        if not walls:
            return found
        statement = (
            "SELECT m.sent_local, m.id, m.digest, m.occurrence, m.place, m.sender_id, m.kind, h.line_no IS NOT NULL"
            " FROM messages m LEFT JOIN import_messages h ON h.message_id = m.id AND h.import_id = %s"
            " WHERE m.chat_id = %s AND m.sent_local IN %s"
        )
        for wall, number, digest, occurrence, place, sender, kind, used in rows(
            self._connection, statement, self._import, self._chat, walls
        ):
            known = Known(number, digest, occurrence, place, self._names.get(sender), kind, bool(used))
            found[wall.strftime(_WALL)].append(known)
        return found

    def _message(self, message: Message, digest: bytes, placed: Placed) -> str:
        sender = None if message.sender is None else self._ids[message.sender]
        # Spelled out, as this line runs for every message.
        return (
            f"({self._chat},'{_wall(message.sent)}','{_wall(message.sent.astimezone(UTC))}',{placed.place},"
            f"{'NULL' if sender is None else sender},'{message.kind.value}','{escape_string(message.body)}',"
            f"{_literal(message.attachment)},x'{digest.hex()}',{placed.occurrence},{self._import},{message.line})"
        )

    def _note_held(self, messages: Sequence[tuple[Message, bytes]], placed: dict[int, Placed]) -> None:
        """Note which messages this export has: the new ones by what was just inserted, the others by their id."""
        if not messages:
            return
        held = "import_id, line_no, message_id, digest"
        rows(
            self._connection,
            f"INSERT INTO import_messages ({held}) SELECT import_id, line_no, id, digest FROM messages"  # noqa: S608
            " WHERE import_id = %s AND line_no BETWEEN %s AND %s",
            *(self._import, messages[0][0].line, messages[-1][0].line),
        )
        met = [(line, digest, placed[line].known) for (line, *_), digest in messages]
        known = [_values(self._import, line, number, digest) for line, digest, number in met if number]
        self._insert("import_messages", held, known)

    def _attach(self, messages: Sequence[tuple[Message, bytes]]) -> None:
        """Link messages with the files that they name, new ones and those that came without their file before."""
        named = [(message.line, message.attachment) for message, _ in messages if message.attachment]
        for line, name in named:
            medium = self._media.get(spelled(name))
            if medium is not None:
                rows(
                    self._connection,
                    "INSERT IGNORE INTO attachments (message_id, sha256, name, import_id)"
                    " SELECT message_id, _binary %s, %s, import_id FROM import_messages"
                    " WHERE import_id = %s AND line_no = %s",
                    *(medium.sha256, name, self._import, line),
                )

    def _insert(self, table: str, columns: str, values: list[str]) -> None:
        if values:
            with self._connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {table} ({columns}) VALUES " + ",".join(values))  # noqa: S608 - quoted above


_MESSAGE = (
    "chat_id, sent_local, sent_at, place, sender_id, kind, body, attachment, digest, occurrence, import_id, line_no"
)


def _values(*values: object) -> str:
    return "(" + ",".join(map(_literal, values)) + ")"


def _literal(value: object) -> str:
    """A value as SQL writes it; the session's SQL mode (context.py) has backslash escapes."""
    if isinstance(value, str):
        return f"'{escape_string(value)}'"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "NULL" if value is None else str(value)


def _wall(sent: datetime) -> str:
    """A wall-clock time as SQL writes it; isoformat is several times as fast as strftime."""
    return sent.isoformat(" ")[:19]
