"""Figures of the vault: what is in it, by chat."""

from dataclasses import dataclass
from datetime import UTC, datetime

from opsctl.core.mariadb.connect import Connection, rows


@dataclass(frozen=True)
class ChatStats:
    """One chat: counts, the first and the last message (UTC), and the size of its media in bytes."""

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


@dataclass(frozen=True)
class Stats:
    """All chats, the media of all together (each file once), and the length of the audit log."""

    chats: tuple[ChatStats, ...]
    media: int
    media_bytes: int
    audit_rows: int
    unfinished_imports: int


_CHATS = "SELECT id, name, zone FROM chats ORDER BY name"
_MESSAGES = (
    "SELECT chat_id, COUNT(*), COUNT(DISTINCT sender_id), MIN(sent_at), MAX(sent_at) FROM messages GROUP BY chat_id"
)
_MEDIA = (
    "SELECT chat_id, COUNT(*), SUM(bytes) FROM (SELECT DISTINCT m.chat_id, d.sha256, d.bytes FROM attachments a"
    " JOIN messages m ON m.id = a.message_id JOIN media d ON d.sha256 = a.sha256) f GROUP BY chat_id"
)
_IMPORTS = (
    "SELECT i.chat_id, COUNT(*), COALESCE(SUM(r.unparsed), 0), SUM(r.import_id IS NULL) FROM imports i"
    " LEFT JOIN import_results r ON r.import_id = i.id GROUP BY i.chat_id"
)


def stats(connection: Connection) -> Stats:
    """Count everything."""
    messages = {chat: rest for chat, *rest in rows(connection, _MESSAGES)}
    media = {chat: rest for chat, *rest in rows(connection, _MEDIA)}
    imports = {chat: rest for chat, *rest in rows(connection, _IMPORTS)}
    chats = []
    for number, name, zone in rows(connection, _CHATS):
        count, senders, first, last = messages.get(number, (0, 0, None, None))
        files, size = media.get(number, (0, 0))
        runs, unparsed, _ = imports.get(number, (0, 0, 0))
        chats.append(
            ChatStats(
                *(name, zone, count, senders, _utc(first), _utc(last), files),
                *(int(size), runs, int(unparsed)),
            )
        )
    ((files, size),) = rows(connection, "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM media")
    ((audit_rows,),) = rows(connection, "SELECT COUNT(*) FROM audit")
    unfinished = sum(int(rest[2]) for rest in imports.values())
    return Stats(tuple(chats), files, int(size), audit_rows, unfinished)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
