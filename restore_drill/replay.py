"""Apply binary logs to the scratch server: by its relay log and the serial applier, which stops exactly.

The opened segments are given to the server as its own relay log, by links, so that nothing is copied. That it stopped
without an error proves little: a gap, or a server id that it takes for its own, is skipped in silence. So the logs are
verified before (`logs.py`), and afterwards the place, the GTID position and the number of transactions must all be what
the logs say.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pymysql

from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.gtid import GtidPosition
from opsctl.core.mariadb.heartbeat import HEARTBEAT_TABLE
from opsctl.core.sandbox import sandbox_owner
from restore_drill.event_status import read_statuses, restore_statuses
from restore_drill.hostile import opened_directory
from restore_drill.logs import Logs
from restore_drill.point import Point
from restore_drill.scratch import LOGS, POLL_S, RUN, ScratchServer

_RELAY = "relay"
_INDEX = "bin.index"
_ALL_READ = "Slave has read all relay log"
_APPLIED = ("Slave_DDL_Groups", "Slave_Non_Transactional_Groups", "Slave_Transactional_Groups")


class ReplayError(IntegrityError):
    """The binary logs were not applied as they are."""


@dataclass(frozen=True)
class Replayed:
    """What a replay came to, each figure proved by the scratch server and the logs alike.

    `stop_description` says the stop in words. `gtid_state`: the whole binlog state there; `gtid_position`:
    @@gtid_slave_pos, equal to it. `transactions` and `segments` were applied, in `duration_s` seconds. `heartbeat` is
    what the restored heartbeat table says (UTC), None when there is no such table or row. `warnings` are sentences for
    the operator: what the logs could not bring back, or could have brought back further.
    """

    stop_description: str
    gtid_state: str
    gtid_position: str
    transactions: int
    segments: int
    last_transaction_time: datetime | None
    heartbeat: datetime | None
    duration_s: float
    warnings: tuple[str, ...]


def replay(
    server: ScratchServer,
    logs: Logs,
    point: Point,
    *,
    timeout_s: float,
    advance: Callable[[int], None],
    server_id: int | None = None,
) -> Replayed:
    """Apply `logs` to `server`, which holds the backup they follow, up to `point`, and prove that it got there.

    `advance` counts bytes of binary log; `server_id` is for self-tests, which choose a wrong one. Raises ReplayError
    when the server fails at an event, or stands elsewhere than the logs say; OpsError after `timeout_s` seconds.
    """
    started = time.monotonic()
    warnings = (*logs.warnings, *point.warnings)
    if point.position is not None:
        statuses = read_statuses(server)
        _Applier(server, logs, point, advance, server_id).run(started + timeout_s)
        warnings += restore_statuses(server, logs, point, statuses) + _prepared(server)
    return Replayed(
        stop_description=point.description,
        gtid_state=str(point.state),
        gtid_position=str(point.state.position()),
        transactions=point.transactions,
        segments=point.segments,
        last_transaction_time=point.time,
        heartbeat=read_heartbeat(server),
        duration_s=time.monotonic() - started,
        warnings=warnings,
    )


def read_heartbeat(server: ScratchServer) -> datetime | None:
    """The newest heartbeat in the restored database (UTC); None without the table or a row in it."""
    schema, _, table = HEARTBEAT_TABLE.partition(".")
    there = server.query(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", (schema, table)
    )
    rows = server.query(f"SELECT MAX(at) AS at FROM {HEARTBEAT_TABLE}") if there else []  # noqa: S608 - fixed names
    at = rows[0]["at"] if rows else None
    return at.replace(tzinfo=UTC) if isinstance(at, datetime) else None


class _Applier:
    """One run of the server's SQL thread over the logs."""

    def __init__(
        self, server: ScratchServer, logs: Logs, point: Point, advance: Callable[[int], None], server_id: int | None
    ) -> None:
        self._server = server
        self._logs = logs
        self._point = point
        self._expected = point.state.position()
        self._advance = advance
        self._names = [f"bin.{number:06d}" for number in range(1, len(logs.files) + 1)]
        self._server_id = server_id or self._unused_server_id()
        self._done_bytes = 0

    def run(self, deadline: float) -> None:
        """Apply, prove, and leave no trace of it in the server."""
        try:
            self._lay_out()
            with contextlib.closing(self._server.connect()) as connection:
                self._start(connection)
                status = self._wait(connection, deadline)
                _execute(connection, "STOP SLAVE")
                self._prove(connection, status)
                _execute(connection, "RESET SLAVE ALL")
        except pymysql.Error as error:
            raise self._server.failed(f"the scratch server gave up the replay: {error.args[-1]}") from error
        except OSError as error:
            raise self._server.failed(f"the logs cannot be laid out for the scratch server: {error}") from error

    def _lay_out(self) -> None:
        """Links to the logs, and their index. The server runs and may write here, so that all goes by descriptor."""
        lines = "".join(f"{RUN / _RELAY / name}\n" for name in self._names).encode()
        with opened_directory(self._server.run / _RELAY) as directory:
            for name, file in zip(self._names, self._logs.files, strict=True):
                os.symlink(LOGS / file.path.name, name, dir_fd=directory)
            index = os.open(_INDEX, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
            with os.fdopen(index, "wb") as file_of_names:
                file_of_names.write(lines)
                os.fchown(index, *sandbox_owner())

    def _start(self, connection: "pymysql.Connection[Any]") -> None:
        _execute(connection, "SET GLOBAL server_id = %s", (self._server_id,))
        _execute(connection, "SET GLOBAL gtid_slave_pos = %s", (str(self._logs.state.position()),))
        _execute(
            connection,
            "CHANGE MASTER TO master_host='127.0.0.1', master_user='none', master_log_file=%s, master_log_pos=%s,"
            " relay_log_file=%s, relay_log_pos=%s, master_use_gtid=no",
            (self._names[0], self._logs.start, self._names[0], self._logs.start),
        )
        until = ""
        if self._another_follows():
            until = f" UNTIL relay_log_file='{self._names[self._point.number]}', relay_log_pos={self._point.position}"
        _execute(connection, f"START SLAVE SQL_THREAD{until}")

    def _another_follows(self) -> bool:
        """Whether a transaction follows the stop; where none does, UNTIL would wait for it for ever."""
        return self._point.state != self._logs.files[-1].scan.last_state

    def _wait(self, connection: "pymysql.Connection[Any]", deadline: float) -> dict[str, Any]:
        """Wait until the SQL thread has stopped, or has read everything; return its status then."""
        while True:
            status = _status(connection)
            self._count(status)
            if status["Last_SQL_Errno"]:
                raise self._error(f"failed with error {status['Last_SQL_Errno']}: {status['Last_SQL_Error']}", status)
            if status["Slave_SQL_Running"] == "No":
                return status
            state = status["Slave_SQL_Running_State"] or ""  # NULL for a moment, when the thread changes its state
            if state.startswith(_ALL_READ) and not self._another_follows():
                return status
            if time.monotonic() > deadline:
                raise self._error("did not get to its end in time", status)
            time.sleep(POLL_S)

    def _prove(self, connection: "pymysql.Connection[Any]", status: dict[str, Any]) -> None:
        """The SQL thread ended without an error; now its GTIDs and its count have to be those of the logs."""
        found = GtidPosition.parse(str(_one(connection, "SELECT @@GLOBAL.gtid_slave_pos")))
        if found != self._expected:
            raise self._error(f"ended at GTID {found or 'none'}, not at {self._expected}", status)
        applied = sum(int(status[name]) for name in _APPLIED)
        if applied != self._point.transactions:
            raise self._error(f"applied {applied} transactions, the logs hold {self._point.transactions}", status)

    def _count(self, status: dict[str, Any]) -> None:
        name, position = status["Relay_Log_File"], int(status["Relay_Log_Pos"])
        if name in self._names:
            before = sum(file.scan.size for file in self._logs.files[: self._names.index(name)])
            done = before + position - self._logs.start
            self._advance(max(0, done - self._done_bytes))
            self._done_bytes = max(done, self._done_bytes)

    def _unused_server_id(self) -> int:
        """A server id that occurs nowhere in the logs: events of its own id are skipped without a word."""
        used = {file.scan.server_id for file in self._logs.files}
        for file in self._logs.files:
            used |= {gtid.server_id for gtid in (*file.scan.first_state, *file.scan.last_state)}
        return next(number for number in iter(lambda: secrets.randbelow(2**32 - 1) + 1, 0) if number not in used)

    def _error(self, what: str, status: dict[str, Any]) -> ReplayError:
        name = status["Relay_Log_File"]
        if name in self._names:
            name = self._logs.files[self._names.index(name)].segment.name
        return ReplayError(
            f"the replay {what}",
            where=f"{name}, offset {status['Relay_Log_Pos']}",
            hint="nothing of this restore is to be used; opsctl backup verify looks at what is stored",
        )


def _prepared(server: ScratchServer) -> tuple[str, ...]:
    """Say how many XA transactions the stop leaves prepared: they hold their locks until somebody decides."""
    count = len(server.query("XA RECOVER"))
    return (
        (f"{count} XA transactions are prepared, neither committed nor rolled back: see XA RECOVER",) if count else ()
    )


def _execute(connection: "pymysql.Connection[Any]", sql: str, arguments: Sequence[object] = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, tuple(arguments))


def _one(connection: "pymysql.Connection[Any]", sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()[0][0]


def _status(connection: "pymysql.Connection[Any]") -> dict[str, Any]:
    with connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SHOW SLAVE STATUS")
        return dict(cursor.fetchall()[0])
