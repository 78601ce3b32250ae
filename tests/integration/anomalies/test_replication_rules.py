"""Rules about replication, on a real replica that stops and that falls behind."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymysql.cursors import DictCursor

from anomaly_rules.collectors.mariadb import collectors
from opsctl.core.clock import utcnow
from tests.integration.anomalies.conftest import add_watcher, reach
from tests.support.mariadb import Server, running_server
from tests.support.measuring import Bench


@pytest.fixture(scope="module")
def replica() -> Iterator[tuple[Server, Server]]:
    """A primary and its replica."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    listen = ("--skip-networking=0", "--bind-address=127.0.0.1", f"--port={port}")
    with (
        running_server(["--log-bin=bin", "--server-id=1", *listen]) as primary,
        running_server(["--server-id=2"]) as copy,
    ):
        primary.sql("CREATE USER r@localhost IDENTIFIED BY 'r'", "GRANT REPLICATION SLAVE ON *.* TO r@localhost")
        primary.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
        copy.sql(
            "CHANGE MASTER TO MASTER_HOST='localhost', MASTER_USER='r', MASTER_PASSWORD='r', "
            f"MASTER_PORT={port}, MASTER_USE_GTID=slave_pos",
            "START SLAVE",
        )
        caught_up(primary, copy)
        add_watcher(copy)
        yield primary, copy


def caught_up(primary: Server, copy: Server) -> None:
    assert copy.value(f"SELECT MASTER_GTID_WAIT('{primary.value('SELECT @@gtid_binlog_pos')}', 20)") == 0


def until(copy: Server, name: str, holds: Callable[[Any], bool]) -> None:
    """Wait for a state of the replica; a test that waits for ever is ended by its time limit."""
    with copy.connect(cursorclass=DictCursor) as connection, connection.cursor() as cursor:
        while True:
            cursor.execute("SHOW SLAVE STATUS")
            (row,) = cursor.fetchall()
            if holds(row[name]):
                return


@pytest.fixture
def bench(replica: tuple[Server, Server], tmp_path: Path) -> Bench:
    return Bench(tmp_path, [each for each in collectors(reach(replica[1])) if each.name == "replication"])


def test_a_replica_that_follows_raises_nothing(replica: tuple[Server, Server], bench: Bench) -> None:
    now = utcnow()
    bench.read(now)
    bench.assert_quiet("replication-stopped", now)
    bench.assert_quiet("replication-lag", now)


@pytest.mark.parametrize("thread", ["SQL_THREAD", "IO_THREAD"])
def test_a_thread_that_stopped_is_found(replica: tuple[Server, Server], bench: Bench, thread: str) -> None:
    replica[1].sql(f"STOP SLAVE {thread}")
    now = utcnow()
    bench.read(now)
    replica[1].sql(f"START SLAVE {thread}")
    bench.assert_fires("replication-stopped", now)


def test_a_replica_that_cannot_apply_what_it_gets_has_stopped(replica: tuple[Server, Server], bench: Bench) -> None:
    primary, copy = replica
    copy.sql("INSERT INTO shop.orders VALUES (7)")
    primary.sql("INSERT INTO shop.orders VALUES (7)")
    until(copy, "Slave_SQL_Running", lambda value: value == "No")
    now = utcnow()
    bench.read(now)
    bench.assert_fires("replication-stopped", now)
    copy.sql("DELETE FROM shop.orders WHERE id = 7", "START SLAVE")
    caught_up(primary, copy)


def test_a_replica_that_is_far_behind_is_found(replica: tuple[Server, Server], bench: Bench) -> None:
    primary, copy = replica
    with copy.connect() as reader, reader.cursor() as cursor:
        cursor.execute("LOCK TABLES shop.orders READ")
        primary.sql("INSERT INTO shop.orders VALUES (8)")
        until(copy, "Seconds_Behind_Master", lambda value: value is not None and value >= 1)
        now = utcnow()
        bench.read(now)
        cursor.execute("UNLOCK TABLES")
    bench.assert_quiet("replication-lag", now)
    # Nobody waits for a quarter of an hour here: the same rule, with a limit of half a second.
    assert (bench.assert_fires("replication-lag", now, above=0.5).evidence.value or 0) >= 1
    bench.assert_quiet("replication-stopped", now)
    caught_up(primary, copy)
