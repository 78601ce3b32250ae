"""The inventory of tables, and whether the stream of a physical backup holds a file for each of them.

A missing table file is noticed by no tool: extraction, preparation and the server's start all succeed without it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from backup.manifest import Table
from backup.mbstream import StreamContent
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.connect import Connection, rows

_OURS = "TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')"
# `CONVERT(… USING filename)` is how the server itself spells names in its data directory.
_TABLES = f"""
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE,
       CAST(CONVERT(TABLE_SCHEMA USING filename) AS BINARY), CAST(CONVERT(TABLE_NAME USING filename) AS BINARY)
FROM information_schema.TABLES WHERE {_OURS}
"""  # noqa: S608 - fixed words
# A statement of its own: for it the server opens each table, and of one that it cannot open it then tells no engine.
_MADE = f"SELECT TABLE_SCHEMA, TABLE_NAME, CREATE_TIME FROM information_schema.TABLES WHERE {_OURS}"  # noqa: S608 - same
_TABLESPACES = "SELECT NAME, TABLE_ID FROM information_schema.INNODB_SYS_TABLES WHERE SPACE <> 0 AND NAME LIKE '%/%'"
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
# An incremental backup holds what changed of it, as `.delta`, be it nothing.
_SPACE_FILES = (".ibd", ".new", ".ibd.delta", ".new.delta")
RENAMED = ".ren"


@dataclass(frozen=True)
class Listed:
    """A table with the path of its files, without suffix, as in the data directory, and the second (UTC) in which it
    was made, if its engine knows: one that was dropped and made again is another table."""

    table: Table
    path: str
    made: datetime | None


@dataclass(frozen=True)
class Inventory:
    """All tables at one moment, and path and id of InnoDB's tablespaces that are files of their own."""

    tables: frozenset[Listed]
    tablespaces: frozenset[tuple[str, int]]

    def paths(self) -> frozenset[str]:
        """The paths of tablespaces."""
        return frozenset(path for path, _ in self.tablespaces)


def read_inventory(connection: Connection) -> Inventory:
    """Ask the server for its tables, views and sequences, with their real names."""
    rows(connection, "SET time_zone = '+00:00'")
    made = {(database, name): at.replace(tzinfo=UTC) for database, name, at in rows(connection, _MADE) if at}
    tables = frozenset(
        Listed(
            Table(database=database, name=name, kind=_kind(kind), engine=engine),
            f"{_text(folder)}/{_text(file)}",
            made.get((database, name)),
        )
        for database, name, kind, engine, folder, file in rows(connection, _TABLES)
    )
    spaces = ((_text(name), int(number)) for name, number in rows(connection, _TABLESPACES))
    return Inventory(tables, frozenset(space for space in spaces if _TEMPORARY not in space[0]))


def confirm(before: Inventory, after: Inventory, stream: StreamContent, locked_at: datetime) -> tuple[Table, ...]:
    """The tables that the stream holds, sorted.

    What was there before and is still there after the backup has to be in it, and so has what was made until
    `locked_at`, the second (UTC) in which the backup held definitions fast: mariadb-backup forgets an Aria or MyISAM
    table that is dropped and made again while it runs. Whatever has its definition there has to have its data, in the
    form that it had before or has after. Raises IntegrityError, which names what is missing.
    """
    files = _Files(stream)
    held = [listed for listed in before.tables | after.tables if f"{listed.path}.frm" in stream.files]
    early = {listed for listed in after.tables if listed.made is not None and listed.made < locked_at}
    missing = {f"{listed.path}.frm" for listed in (before.tables & after.tables | early).difference(held)}
    missing |= {f"{path}.ibd" for path, _ in before.tablespaces & after.tablespaces if not files.has_space(path)}
    forms: dict[str, list[list[str]]] = {}
    for inventory in (before, after):
        for listed in inventory.tables.intersection(held):
            forms.setdefault(listed.path, []).append(files.lacking(listed, inventory.paths()))
    missing |= {file for lacking in forms.values() if all(lacking) for file in lacking[-1]}
    if missing:
        some = ", ".join(sorted(missing)[:5])
        raise IntegrityError(
            f"the database stream lacks {some}" + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
            hint="look at them: CHECK TABLE; if they were just made or renamed, take the backup again",
        )
    tables = {listed.path: listed.table for listed in sorted(held, key=lambda listed: listed in after.tables)}
    return tuple(sorted(tables.values(), key=lambda table: (table.database, table.name)))


class _Files:
    """The table files in a stream."""

    def __init__(self, stream: StreamContent) -> None:
        self._files = stream.files
        self._renamed = {data.decode("utf-8", "surrogateescape").strip("\0\n") for data in _renames(stream)}
        self._partitioned: dict[str, set[str]] = {}
        for file in stream.files:
            if _PARTITION in file:
                stem, _, rest = file.partition(_PARTITION)
                self._partitioned.setdefault(stem, set()).add(rest[rest.rfind(".") :])

    def has_space(self, path: str) -> bool:
        """Whether an InnoDB tablespace is there."""
        return path in self._renamed or any(path + suffix in self._files for suffix in _SPACE_FILES)

    def lacking(self, listed: Listed, spaces: frozenset[str]) -> list[str]:
        """The files that are not there of those that a table has to have."""
        if listed.path in spaces:
            return [] if self.has_space(listed.path) else [f"{listed.path}.ibd"]
        return [
            listed.path + suffix
            for suffix in _FILES.get(listed.table.engine or "", ())
            if listed.path + suffix not in self._files and suffix not in self._partitioned.get(listed.path, ())
        ]


def _renames(stream: StreamContent) -> list[bytes]:
    return [data for name, data in stream.kept.items() if name.endswith(RENAMED)]


def _kind(table_type: str) -> Literal["table", "view", "sequence"]:
    if table_type == "SEQUENCE":
        return "sequence"
    return "view" if table_type.endswith("VIEW") else "table"


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
