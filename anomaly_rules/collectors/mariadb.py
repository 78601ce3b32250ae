"""The database server itself: replication, connections, transactions, deadlocks, counters that run out, growth."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anomaly_rules.collectors import Collector, Reading, Span, gauges, labels
from anomaly_rules.collectors.database import Database
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.rule import Labels, MetricId


def _gauge(name: str, title: str, unit: str, *names: str, daily: bool = False) -> Metric:
    cadence = Cadence.DAILY if daily else Cadence.HOURLY
    return Metric(id=MetricId(name), title=title, cadence=cadence, form="gauge", unit=unit, labels=names)


STOPPED = _gauge("db.replicas_stopped", "the number of replication channels that do not run", "")
LAG = _gauge("db.replica_lag", "the lag of the slowest replication channel", "s")
CONNECTIONS = _gauge("db.connections_share", "the number of connections, as a share of those allowed,", "share")
TRANSACTION = _gauge("db.oldest_transaction", "age of the oldest open transaction", "s")
DEADLOCKS = _gauge("db.deadlocks", "the number of deadlocks an hour since the last look", "")
COUNTER = _gauge("db.auto_increment_share", "used share of an AUTO_INCREMENT column", "share", "table")
SIZE = _gauge("db.table_bytes", "size of a table", "bytes", "table", daily=True)
DEFINITIONS = _gauge("db.definitions", "fingerprint of grants and triggers", "", "what")

_OWN = ("information_schema", "performance_schema", "mysql", "sys")
_SIGNED = {"tinyint": 7, "smallint": 15, "mediumint": 23, "int": 31, "bigint": 63}
_COUNTED = ("Innodb_deadlocks", "Max_used_connections")
_STATUS = ("Threads_connected", "Uptime", *_COUNTED)
_SMALL = 16 << 20
"""Tables smaller than this (bytes) grow as they like."""

Found = Iterator[tuple[Metric, float, Labels]]


@dataclass(frozen=True)
class ServerLook:
    """One look at the server."""

    server: Database
    name: str
    metrics: tuple[Metric, ...]
    look: Callable[[Connection], Found]
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Look. Raises AuthError that names a missing privilege, UnreachableError."""
        with self.server.connect() as connection:
            found = tuple(self.look(connection))
        return gauges(span, found)


@dataclass(frozen=True)
class Counters:
    """What is counted since the server started: how much was added since the last look."""

    server: Database
    name: str = "connections and deadlocks"
    metrics: tuple[Metric, ...] = (CONNECTIONS, DEADLOCKS)
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Look. Raises UnreachableError."""
        with self.server.connect() as connection:
            status = {
                name: float(value)
                for name, value in rows(connection, "SHOW GLOBAL STATUS WHERE Variable_name IN %s", _STATUS)
            }
            limit = float(rows(connection, "SELECT @@GLOBAL.max_connections")[0][0])
        # A peak between two looks shows in the record, unless there was one as high before.
        peak = status["Max_used_connections"]
        most = peak if peak > span.memory.get("Max_used_connections", peak) else status["Threads_connected"]
        found: list[tuple[Metric, float, Labels]] = [(CONNECTIONS, min(1.0, most / limit), ())]
        if "Innodb_deadlocks" in status:
            added = _added(status, span.memory, "Innodb_deadlocks")
            seconds = status["Uptime"] if span.last is None else (span.now - span.last).total_seconds()
            found.append((DEADLOCKS, added / max(seconds / 3600, 1.0), ()))
        return replace(gauges(span, found), memory={name: status[name] for name in _COUNTED if name in status})


def _added(status: Mapping[str, float], memory: Mapping[str, float], name: str) -> float:
    """How much a counter has grown since the last look; one that is smaller has begun anew with the server."""
    before = memory.get(name, 0.0)
    return status[name] - before if status[name] >= before else status[name]


def collectors(server: Database) -> tuple[Collector, ...]:
    """All looks at the server."""
    return (
        ServerLook(server, "replication", (STOPPED, LAG), replication),
        Counters(server),
        Transactions(server),
        ServerLook(server, "AUTO_INCREMENT columns", (COUNTER,), counters),
        ServerLook(server, "table sizes", (SIZE,), sizes),
        ServerLook(server, "grants and triggers", (DEFINITIONS,), definitions),
    )


def replication(connection: Connection) -> Found:
    """How many channels of this replica do not run, and how far the slowest is behind; 0 where it is no replica."""
    channels = tuple(_named(connection, "SHOW ALL SLAVES STATUS"))
    running = [each["Slave_IO_Running"] == "Yes" and each["Slave_SQL_Running"] == "Yes" for each in channels]
    yield STOPPED, float(running.count(False)), ()
    behind = [float(each["Seconds_Behind_Master"] or 0) for each in channels]
    yield LAG, max(behind, default=0.0), ()


@dataclass(frozen=True)
class Transactions:
    """How long the oldest transaction is open; 0 when none is."""

    server: Database
    name: str = "transactions"
    metrics: tuple[Metric, ...] = (TRANSACTION,)
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Look. Raises AuthError that names a missing privilege, UnreachableError."""
        with self.server.connect() as connection:
            rows(connection, "SET SESSION time_zone = SYSTEM")  # the zone in which trx_started is told
            oldest = rows(
                connection,
                "SELECT UNIX_TIMESTAMP(MIN(trx_started)) FROM information_schema.INNODB_TRX "
                "WHERE trx_mysql_thread_id <> CONNECTION_ID()",
            )[0][0]
        age = 0.0 if oldest is None else max(0.0, span.now.timestamp() - float(oldest))
        return gauges(span, [(TRANSACTION, age, ())])


def counters(connection: Connection) -> Found:
    """How much of its type's range each AUTO_INCREMENT column has used."""
    found = rows(
        connection,
        "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.DATA_TYPE, c.COLUMN_TYPE, t.AUTO_INCREMENT "
        "FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) "
        "WHERE c.EXTRA LIKE '%%auto_increment%%' AND t.AUTO_INCREMENT IS NOT NULL AND c.TABLE_SCHEMA NOT IN %s",
        _OWN,
    )
    for schema, name, kind, whole_type, value in found:
        bits = _SIGNED.get(str(kind).lower())
        if bits is not None:
            most = 2 ** (bits + ("unsigned" in str(whole_type).lower())) - 1
            yield COUNTER, min(1.0, float(value) / most), labels(table=f"{schema}.{name}")


def sizes(connection: Connection) -> Found:
    """Data and indexes of each table that is not small, and of all small ones together."""
    small = 0.0
    for schema, name, size in rows(
        connection,
        "SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) "
        "FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN %s",
        _OWN,
    ):
        if size >= _SMALL:
            yield SIZE, float(size), labels(table=f"{schema}.{name}")
        else:
            small += float(size)
    yield SIZE, small, labels(table="(all small ones)")


def definitions(connection: Connection) -> Found:
    """Fingerprints: of who may do what, and of the triggers of each database."""
    triggers: dict[str, list[object]] = {}
    for schema, *trigger in rows(
        connection,
        "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, "
        "ACTION_STATEMENT, DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN %s ORDER BY 1, 2",
        _OWN,
    ):
        triggers.setdefault(schema, []).append(trigger)
    for (schema,) in rows(
        connection, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN %s", _OWN
    ):
        yield DEFINITIONS, fingerprint(triggers.get(schema, [])), labels(what=f"triggers of {schema}")
    granted: list[object] = []
    for view in ("USER_PRIVILEGES", "SCHEMA_PRIVILEGES", "TABLE_PRIVILEGES", "COLUMN_PRIVILEGES"):
        granted.append(sorted(map(str, rows(connection, f"SELECT * FROM information_schema.{view}"))))  # noqa: S608
    yield DEFINITIONS, fingerprint(granted), labels(what="grants")


def fingerprint(content: Sequence[object]) -> float:
    """A number that changes with the content: 48 bits, which a float holds exactly."""
    return float(int(hashlib.sha256(repr(content).encode()).hexdigest()[:12], 16))


def _named(connection: Connection, statement: str) -> Iterator[Mapping[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column[0] for column in cursor.description or ()]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))
