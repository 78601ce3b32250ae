"""What a server holds, as SQL tells it: tables with their rows and checksums, stored programs, accounts.

Asked of the source when an export is made, and of the server that it was loaded into: both must say the same.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from backup.logical.document import ExportedTable, Program, Schema

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs one statement and returns its rows."""

# The servers' own; what a customer could have put there is no part of a logical export.
_OWN = "('information_schema', 'performance_schema', 'mysql', 'sys')"
SESSION = ("SET SESSION time_zone = '+00:00', SESSION sql_mode = ''", "SET NAMES utf8mb4")
"""What a connection needs, so that the same values are spelled the same way everywhere."""
_KEY_ID = re.compile(r"ENCRYPTION_KEY_ID`?=['\"]?(\d+)", re.IGNORECASE)
_ROW_TIMES = "('ROW START', 'ROW END')"


def schemas(ask: Ask) -> tuple[Schema, ...]:
    """All databases but the server's own, by name."""
    found = ask(
        "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "  # noqa: S608 - fixed words
        f"WHERE SCHEMA_NAME NOT IN {_OWN} ORDER BY SCHEMA_NAME"
    )
    return tuple(Schema(name=_text(name), charset=charset, collation=order) for name, charset, order in found)


def file_names(ask: Ask) -> dict[str, str]:
    """A name for the files of each database: the one that its directory has on the server, in plain letters."""
    found = ask(
        "SELECT SCHEMA_NAME, CAST(CONVERT(SCHEMA_NAME USING filename) AS BINARY) FROM information_schema.SCHEMATA"
    )
    return {_text(name): _text(file) for name, file in found}


def tables(ask: Ask) -> tuple[ExportedTable, ...]:
    """All tables, views and sequences, without counting anything."""
    found = ask(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES "  # noqa: S608 - fixed
        f"WHERE TABLE_SCHEMA NOT IN {_OWN} ORDER BY TABLE_SCHEMA, TABLE_NAME"
    )
    return tuple(
        ExportedTable(
            database=_text(database), name=_text(name), kind=_kind(kind), engine=engine, rows=None, checksum=None
        )
        for database, name, kind, engine in found
    )


def columns(ask: Ask) -> dict[tuple[str, str], list[str]]:
    """The columns of each table, in order, without those in which the server notes when a row began and ended."""
    found = ask(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS "  # noqa: S608 - fixed words
        f"WHERE TABLE_SCHEMA NOT IN {_OWN} AND COALESCE(GENERATION_EXPRESSION, '') NOT IN {_ROW_TIMES} "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
    )
    gathered: dict[tuple[str, str], list[str]] = {}
    for database, table, column in found:
        gathered.setdefault((_text(database), _text(table)), []).append(_text(column))
    return gathered


def versioned(ask: Ask) -> tuple[str, ...]:
    """Tables that keep their former rows."""
    found = ask(
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES "  # noqa: S608 - fixed words
        f"WHERE TABLE_TYPE = 'SYSTEM VERSIONED' AND TABLE_SCHEMA NOT IN {_OWN} ORDER BY TABLE_SCHEMA, TABLE_NAME"
    )
    return tuple(_text(name) for (name,) in found)


def key_ids(ask: Ask) -> tuple[int, ...]:
    """The numbers of the encryption keys that tables name in their definition."""
    found = ask(
        "SELECT DISTINCT CREATE_OPTIONS FROM information_schema.TABLES "  # noqa: S608 - fixed words
        f"WHERE CREATE_OPTIONS LIKE '%ENCRYPTION_KEY_ID%' AND TABLE_SCHEMA NOT IN {_OWN}"
    )
    matches = [_KEY_ID.search(_text(options)) for (options,) in found]
    return tuple(sorted({int(match[1]) for match in matches if match}))


def counted(ask: Ask, table: ExportedTable, names: list[str]) -> ExportedTable:
    """The table with its number of rows and a checksum of all its values, whatever order they come in.

    The checksum is the sum over all rows of CRC-32 of the CRC-32s of the row's columns; NULL is `-`.
    """
    each = ", ".join(f"COALESCE(CRC32({quoted(name)}), '-')" for name in names)
    of_row = f"CRC32(CONCAT_WS(',', {each}))"
    [[rows, checksum]] = ask(
        f"SELECT COUNT(*), CAST(COALESCE(SUM({of_row}), 0) AS CHAR) "  # noqa: S608 - names are quoted
        f"FROM {quoted(table.database)}.{quoted(table.name)}"
    )
    return table.model_copy(update={"rows": int(rows), "checksum": _text(checksum)})


def programs(ask: Ask) -> tuple[Program, ...]:
    """Routines, packages, triggers and events. (information_schema shows no event while the scheduler is disabled.)"""
    found = [*_routines(ask), *_triggers(ask), *_events(ask)]
    return tuple(sorted(found, key=lambda each: (each.database, each.kind, each.name)))


def ends_of_events(ask: Ask) -> list[datetime]:
    """When each event runs for the last time (UTC, one second earlier), where that is said."""
    found = ask("SELECT COALESCE(execute_at, ends) FROM mysql.event WHERE COALESCE(execute_at, ends) IS NOT NULL")
    return [end.replace(tzinfo=UTC) - timedelta(seconds=1) for (end,) in found]


def _routines(ask: Ask) -> Iterator[Program]:
    for database, name, kind, definer, body in ask(
        "SELECT CONVERT(db USING utf8mb4), CONVERT(name USING utf8mb4), LOWER(type), definer, body FROM mysql.proc "  # noqa: S608 - fixed words
        f"WHERE db NOT IN {_OWN}"
    ):
        yield _program(database, name, kind, definer, body)


def _triggers(ask: Ask) -> Iterator[Program]:
    for database, name, definer, body in ask(
        "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER, ACTION_STATEMENT FROM information_schema.TRIGGERS "  # noqa: S608 - fixed words
        f"WHERE TRIGGER_SCHEMA NOT IN {_OWN}"
    ):
        yield _program(database, name, "trigger", definer, body)


def _events(ask: Ask) -> Iterator[Program]:
    for database, name, definer, status, body in ask(
        "SELECT CONVERT(db USING utf8mb4), CONVERT(name USING utf8mb4), definer, status, body FROM mysql.event "  # noqa: S608 - fixed words
        f"WHERE db NOT IN {_OWN}"
    ):
        yield _program(database, name, "event", definer, body, status=_text(status))


def _program(database: Any, name: Any, kind: str, definer: Any, body: Any, *, status: str | None = None) -> Program:
    code = body if isinstance(body, bytes) else str(body).encode()
    return Program(
        database=_text(database),
        name=_text(name),
        kind=_text(kind),
        definer=_text(definer),
        status=status,
        sha256=hashlib.sha256(code.strip()).hexdigest(),
    )


def quoted(name: str) -> str:
    """A name in SQL."""
    return "`" + name.replace("`", "``") + "`"


def _kind(table_type: str) -> Any:
    if table_type == "SEQUENCE":
        return "sequence"
    return "view" if table_type.endswith("VIEW") else "table"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
