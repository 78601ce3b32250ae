"""The inventory of tables, and whether the stream of a physical backup holds a file for each of them.

A missing table file is noticed by no tool: extraction, preparation and the server's start all succeed without it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from backup.manifest import Table
from backup.mbstream import StreamContent
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.connect import Connection, rows

# `CONVERT(… USING filename)` is how the server itself spells names in its data directory.
_TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE,
       CAST(CONVERT(TABLE_SCHEMA USING filename) AS BINARY), CAST(CONVERT(TABLE_NAME USING filename) AS BINARY)
FROM information_schema.TABLES
WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')
ORDER BY TABLE_SCHEMA, TABLE_NAME
"""
_TABLESPACES = "SELECT NAME FROM information_schema.INNODB_SYS_TABLES WHERE SPACE <> 0 AND NAME LIKE '%/%'"
_FILES = {
    "MyISAM": (".MYI", ".MYD"),
    "Aria": (".MAI", ".MAD"),
    "CSV": (".CSV",),
    "ARCHIVE": (".ARZ",),
    "MRG_MyISAM": (".MRG",),
}
_PARTITION = "#P#"
_TEMPORARY = "#sql"
# A tablespace that DDL touched during the backup is in it again under `.new`, or under its old name with a `.ren` file.
_SPACE_FILES = (".ibd", ".new")
RENAMED = ".ren"


@dataclass(frozen=True)
class Listed:
    """A table with the path of its files, without suffix, as in the data directory."""

    table: Table
    path: str


@dataclass(frozen=True)
class Inventory:
    """All tables at one moment, and the paths of InnoDB's tablespaces that are files of their own."""

    tables: frozenset[Listed]
    tablespaces: frozenset[str]


def read_inventory(connection: Connection) -> Inventory:
    """Ask the server for its tables, views and sequences, with their real names."""
    tables = frozenset(
        Listed(Table(database=database, name=name, kind=_kind(kind), engine=engine), f"{_text(folder)}/{_text(file)}")
        for database, name, kind, engine, folder, file in rows(connection, _TABLES)
    )
    spaces = (_text(name) for (name,) in rows(connection, _TABLESPACES))
    return Inventory(tables, frozenset(space for space in spaces if _TEMPORARY not in space))


def confirm(before: Inventory, after: Inventory, stream: StreamContent) -> tuple[Table, ...]:
    """The tables that the stream holds, sorted.

    What existed both before and after the backup has to be in it with all its files; what was made or dropped
    meanwhile counts if its definition is there. Raises IntegrityError, which names what is missing.
    """
    missing = sorted(_missing(before, after, stream))
    if missing:
        raise IntegrityError(
            f"the database stream lacks {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" * (len(missing) > 5)),
            hint="look at these tables on the server: CHECK TABLE; is a tablespace discarded?",
        )
    held = [listed.table for listed in before.tables | after.tables if f"{listed.path}.frm" in stream.files]
    return tuple(sorted(held, key=lambda table: (table.database, table.name)))


def _missing(before: Inventory, after: Inventory, stream: StreamContent) -> Iterable[str]:
    renamed = {data.decode("utf-8", "surrogateescape").strip("\0\n") for data in _renames(stream)}
    partitioned: dict[str, set[str]] = {}
    for file in stream.files:
        if _PARTITION in file:
            stem, _, rest = file.partition(_PARTITION)
            partitioned.setdefault(stem, set()).add(rest[rest.rfind(".") :])
    for space in before.tablespaces & after.tablespaces:
        if space not in renamed and not any(space + suffix in stream.files for suffix in _SPACE_FILES):
            yield f"{space}.ibd"
    for listed in before.tables & after.tables:
        if f"{listed.path}.frm" not in stream.files:
            yield f"{listed.path}.frm"
        for suffix in _FILES.get(listed.table.engine or "", ()):
            whole = listed.path + suffix in stream.files
            if not whole and suffix not in partitioned.get(listed.path, ()):
                yield listed.path + suffix


def _renames(stream: StreamContent) -> list[bytes]:
    return [data for name, data in stream.kept.items() if name.endswith(RENAMED)]


def _kind(table_type: str) -> Literal["table", "view", "sequence"]:
    if table_type == "SEQUENCE":
        return "sequence"
    return "view" if table_type.endswith("VIEW") else "table"


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
