"""The operations database as collectors see it: read-only, in UTC, each statement with its time limit."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from opsctl.core.errors import OpsError
from opsctl.core.mariadb.connect import Connection, connected, read_password, rows

_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
_TIMES = {"timestamp", "datetime", "date"}
_PATIENCE_S = 5.0
"""The server gives a statement up by itself; the connection waits this much longer, for a server that hangs."""


@dataclass(frozen=True)
class Database:
    """How collectors reach the server."""

    socket: Path
    user: str
    password_file: Path | None
    timeout_s: float

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """Connect for reading. Raises AuthError, UnreachableError, and OpsError for what the server refuses."""
        password = read_password(self.password_file, self.user)
        waits = self.timeout_s + _PATIENCE_S
        with connected(self.socket, user=self.user, password=password, timeout_s=waits) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION time_zone = '+00:00', max_statement_time = %s", (self.timeout_s,))
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
            yield connection


@dataclass(frozen=True)
class Column:
    """A column: its type in lower case, without length."""

    name: str
    kind: str
    nullable: bool


@dataclass(frozen=True)
class Table:
    """A table that is there, with the columns that are."""

    database: str
    name: str
    columns: Mapping[str, Column]

    @cached_property
    def quoted(self) -> str:
        """Its name in SQL."""
        return f"{quote(self.database)}.{quote(self.name)}"

    def time(self, name: str, zone: str) -> "TimeColumn":
        """A column that holds times. Raises OpsError when it holds something else."""
        column = self.columns[name]
        if column.kind not in _INTEGERS | _TIMES:
            raise OpsError(
                f"column {name} of table {self.name} is a {column.kind} and holds no times",
                where=self.database,
                hint="name another column under [[sources]]: opsctl config show",
            )
        return TimeColumn(column, zone if column.kind in {"datetime", "date"} else "UTC")


@dataclass(frozen=True)
class TimeColumn:
    """A column with times: DATETIME and DATE in the zone `zone`, TIMESTAMP and Unix times in UTC."""

    column: Column
    zone: str

    @property
    def sql(self) -> str:
        """Its time, in `zone`."""
        name = quote(self.column.name)
        return f"FROM_UNIXTIME({name})" if self.column.kind in _INTEGERS else name


def quote(name: str) -> str:
    """A name in SQL."""
    return "`" + name.replace("`", "``") + "`"


def table(connection: Connection, database: str, name: str, needed: Iterable[str]) -> Table:
    """A table with the columns that are needed. Raises OpsError that names what is not there."""
    found = {
        column: Column(column, kind.lower(), nullable == "YES")
        for column, kind, nullable in rows(
            connection,
            "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            database,
            name,
        )
    }
    hint = "correct its name under [[sources]], or grant SELECT on it to watch_user"
    if not found:
        raise OpsError(f"database {database} has no table {name} that can be read", hint=hint)
    missing = [column for column in needed if column not in found]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        raise OpsError(f"table {name} has no {noun} {', '.join(missing)}", where=database, hint=hint)
    return Table(database, name, found)


def number(connection: Connection, statement: str, *values: object) -> float:
    """The one number that a statement returns; 0 for NULL."""
    found: tuple[tuple[Any, ...], ...] = rows(connection, statement, *values)
    return float(found[0][0] or 0)
