"""Events of the event scheduler come out of a replay disabled, as on a replica; the log says what they were.

The applier stores every event that it creates or alters as SLAVESIDE_DISABLED. Which of them were enabled on the source
stands only in the text of the statements, so the few that are about events are read from the log and followed. The
status is written into mysql.event directly: ALTER EVENT would make the administrator the event's definer.
"""

import struct
import zlib
from collections.abc import Iterator

from opsctl.core.mariadb.binlog_events import CHECKSUM_SIZE, HEADER_SIZE, EventType
from opsctl.core.mariadb.binlog_groups import GROUP_DDL, Groups
from restore_drill.event_sql import EventChange, EventStatus, Name, parse_event_statement
from restore_drill.logs import Logs
from restore_drill.point import Point
from restore_drill.scratch import ScratchServer

# thread, seconds, length of the database name, error, length of the status variables
_QUERY = struct.Struct("<IIBHH")
_LENGTH = struct.Struct("<9xI")
_COMPRESSED_LENGTH = 0x07


def read_statuses(server: ScratchServer) -> dict[Name, EventStatus]:
    """The status of every event in the database. (information_schema shows none while the scheduler is off.)"""
    rows = server.query("SELECT CONVERT(db USING utf8mb4) AS db, name, status FROM mysql.event")
    return {(row["db"], row["name"]): EventStatus(row["status"]) for row in rows}


def restore_statuses(
    server: ScratchServer, logs: Logs, point: Point, before: dict[Name, EventStatus]
) -> tuple[str, ...]:
    """Give events that the replay disabled the status that they had on the source; `before`: as in the backup.

    Returns sentences about events whose status the log does not tell.
    """
    disabled = {
        name
        for name, status in read_statuses(server).items()
        if status is EventStatus.SLAVESIDE_DISABLED and before.get(name) is not EventStatus.SLAVESIDE_DISABLED
    }
    if not disabled:
        return ()
    known = dict(before)
    for sql, database in _ddl_statements(logs, point):
        change = parse_event_statement(sql, database)
        if change is not None:
            follow(known, change)
    for name in disabled & known.keys():
        server.query("UPDATE mysql.event SET status = %s WHERE db = %s AND name = %s", (known[name].value, *name))
    return tuple(
        f"event {name[0]}.{name[1]} is disabled as on a replica; the binary log does not tell what it was"
        for name in sorted(disabled - known.keys())
    )


def follow(known: dict[Name, EventStatus], change: EventChange) -> None:
    """Apply one statement to the known statuses."""
    if change.action == "drop":
        database, event = change.name
        for name in [name for name in known if name[0] == database and event in ("", name[1])]:
            del known[name]
    elif change.action == "create":
        if change.status is not None and not (change.if_not_exists and change.name in known):
            known[change.name] = change.status
    else:
        status = change.status or known.get(change.name)
        known.pop(change.name, None)
        if status is not None:
            known[change.renamed or change.name] = status


def _ddl_statements(logs: Logs, point: Point) -> Iterator[tuple[str, str]]:
    """The text and the database of each DDL statement between the backup and the stop."""
    for number, file in enumerate(logs.files[: point.number + 1]):
        end = point.position if number == point.number else None
        with Groups(file.path, verify_crc=False, end=end) as groups, file.path.open("rb") as content:
            trailer = CHECKSUM_SIZE if groups.format.checksummed else 0
            for group in groups:
                if group.flags & GROUP_DDL and (number > 0 or group.start >= logs.start):
                    content.seek(group.start)
                    yield from _queries(content.read(group.end - group.start), trailer)


def _queries(group: bytes, trailer: int) -> Iterator[tuple[str, str]]:
    """The statements among the events of one transaction."""
    at = 0
    while at + HEADER_SIZE <= len(group):
        kind, (length,) = group[at + 4], _LENGTH.unpack_from(group, at)
        if kind in (EventType.QUERY, EventType.QUERY_COMPRESSED):
            body = group[at + HEADER_SIZE : at + length - trailer]
            _, _, database_length, _, variables = _QUERY.unpack_from(body)
            database_at = _QUERY.size + variables
            text = body[database_at + database_length + 1 :]
            if kind == EventType.QUERY_COMPRESSED:
                text = zlib.decompress(text[1 + (text[0] & _COMPRESSED_LENGTH) :])
            database = body[database_at : database_at + database_length]
            yield text.decode(errors="replace"), database.decode(errors="replace")
        at += max(length, HEADER_SIZE)
