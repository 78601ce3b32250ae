"""What shipping asks of the server: who it is, its binary logs, a flush, a heartbeat."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pymysql
from pymysql.constants import ER

from backup.binlog.account import lacks
from backup.binlog.fetch import no_binary_log
from backup.unsupported import refuse_unsupported
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.connect import Connection, connected, read_password, rows
from opsctl.core.mariadb.gtid import Gtid
from opsctl.core.mariadb.heartbeat import HEARTBEAT_TABLE
from opsctl.stack.accounts import heartbeat_sql
from opsctl.stack.settings import DatabaseSection

STATEMENT_TIMEOUT_S = 60.0

_NO_TABLE = {ER.NO_SUCH_TABLE, ER.BAD_DB_ERROR}
_NO_RIGHT_TO_TABLE = {ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR}


@dataclass(frozen=True)
class BinlogFile:
    """A binary log as the server lists it: its name and its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Listing:
    """The server's binary logs in their order; it is writing the last one, all others are closed."""

    server_id: int
    files: tuple[BinlogFile, ...]

    @property
    def server(self) -> str:
        """The server's name in a repository."""
        return f"s{self.server_id}"

    @property
    def closed(self) -> tuple[BinlogFile, ...]:
        """Those that the server will not write to any more."""
        return self.files[:-1]


@dataclass(frozen=True)
class Heartbeat:
    """A time (UTC) written into the database, and the transaction that wrote it."""

    at: datetime
    gtid: Gtid


class Session:
    """A connection as `database.ship_user`."""

    def __init__(self, database: DatabaseSection, connection: Connection) -> None:
        self._database = database
        self._connection = connection

    def refuse_unsupported(self) -> None:
        """Raise SettingsError for a server whose logs cannot be shipped, or would not bring everything back."""
        refuse_unsupported(self._connection, self._where)
        if not self._rows("SELECT @@log_bin")[0][0]:
            raise no_binary_log(self._database)
        filters = self._rows("SHOW MASTER STATUS", privilege="BINLOG MONITOR")[0][2:4]
        for name, databases in zip(("binlog_do_db", "binlog_ignore_db"), filters, strict=True):
            if databases:
                raise SettingsError(
                    f"{name} is '{databases}': some changes go into no binary log, and a restore would lose them",
                    where=self._where,
                    hint=f"remove {name} from the server's configuration, restart it, and take a full backup: "
                    "opsctl backup run",
                )

    def listing(self) -> Listing:
        """List the binary logs."""
        server_id = self._rows("SELECT @@server_id")[0][0]
        rows = self._rows("SHOW BINARY LOGS", privilege="BINLOG MONITOR")
        return Listing(server_id, tuple(BinlogFile(name, size) for name, size, *_ in rows))

    def flush(self) -> None:
        """Close the current binary log and begin another."""
        self._rows("FLUSH BINARY LOGS", privilege="RELOAD")

    def heartbeat(self, at: datetime) -> Heartbeat:
        """Write `at` (UTC) into the one row of the heartbeat table. Raises SettingsError when no binary log gets it."""
        self._rows(
            f"INSERT INTO {HEARTBEAT_TABLE} (id, at) VALUES (1, %s) ON DUPLICATE KEY UPDATE at = VALUES(at)",  # noqa: S608 - fixed
            at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        )
        failpoint("ship.heartbeat_written")
        written = str(self._rows("SELECT @@last_gtid")[0][0])
        if not written:
            raise SettingsError(
                "the heartbeat was written, but into no binary log",
                where=self._where,
                hint="see binlog_do_db and binlog_ignore_db in the server's configuration: what they leave out cannot "
                "be restored",
            )
        return Heartbeat(at, Gtid.parse(written))

    @property
    def _where(self) -> str:
        return str(self._database.socket)

    def _rows(self, statement: str, *values: str, privilege: str = "") -> tuple[tuple[Any, ...], ...]:
        try:
            return rows(self._connection, statement, *values)
        except pymysql.MySQLError as error:
            explained = self._explain(error.args[0], str(error.args[-1]), privilege)
            if explained is None:
                raise
            raise explained from error

    def _explain(self, number: int, said: str, privilege: str) -> OpsError | None:
        """The error for what is missing on the server; None for what has nothing to do with shipping."""
        if number == ER.SPECIFIC_ACCESS_DENIED_ERROR:
            return lacks(self._database, privilege, said)
        if number in _NO_RIGHT_TO_TABLE:
            return lacks(self._database, "SELECT, INSERT, UPDATE", said, on=HEARTBEAT_TABLE)
        if number in _NO_TABLE:
            return SettingsError(
                f"there is no heartbeat table: {said}",
                where=self._where,
                hint=f"as the database's root: {' '.join(heartbeat_sql())}",
            )
        return None


@contextlib.contextmanager
def session(database: DatabaseSection, *, timeout_s: float) -> Iterator[Session]:
    """Connect as `database.ship_user`. No statement may take longer than a minute, or than `timeout_s` if that is less.

    Raises AuthError, UnreachableError, and OpsError for whatever else the server refuses.
    """
    password = read_password(database.ship_password_file, database.ship_user)
    limit = min(timeout_s, STATEMENT_TIMEOUT_S)
    with connected(database.socket, user=database.ship_user, password=password, timeout_s=limit) as connection:
        yield Session(database, connection)
