"""Rules about the database server, on one that is really in trouble, and on the same one before."""

import contextlib
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pymysql
import pytest

from anomaly_rules.collectors import mariadb
from opsctl.core.clock import utcnow
from tests.integration.anomalies.conftest import Own, reach
from tests.support.mariadb import Server
from tests.support.measuring import NOW, Bench

HOUR = timedelta(hours=1)


@pytest.fixture
def bench(server: Server, tmp_path: Path) -> Bench:
    return Bench(tmp_path, mariadb.collectors(reach(server)))


def only(server: Server, directory: Path, name: str) -> Bench:
    """Looks at one thing."""
    return Bench(directory, [each for each in mariadb.collectors(reach(server)) if each.name == name])


def test_a_healthy_server_raises_nothing(own: Own, bench: Bench) -> None:
    own.sql("CREATE TABLE t (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, x INT)", "INSERT INTO t (x) VALUES (1)")
    now = utcnow()
    bench.read(now - HOUR)
    bench.read(now)
    quiet = (
        "replication-stopped",
        "replication-lag",
        "auto-increment",
        "long-transactions",
        "connections",
        "deadlocks",
    )
    for rule in (*quiet, "grants-or-triggers-changed"):
        bench.assert_quiet(rule, now)


def test_connections_that_run_out_are_found(own: Own, server: Server, tmp_path: Path) -> None:
    bench, now = only(server, tmp_path, "connections and deadlocks"), utcnow()
    with contextlib.ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(own.server.connect())
        bench.read(now)
    assert bench.assert_fires("connections", now).evidence.value == pytest.approx(19 / 20)


def test_a_peak_of_connections_between_two_looks_is_found(own: Own, server: Server, tmp_path: Path) -> None:
    bench, now = only(server, tmp_path, "connections and deadlocks"), utcnow()
    server.sql("FLUSH STATUS")
    bench.read(now)
    with contextlib.ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(own.server.connect())
    bench.read(now + HOUR)
    assert (bench.assert_fires("connections", now + HOUR).evidence.value or 0) >= 18 / 20
    bench.read(now + 2 * HOUR)
    bench.assert_quiet("connections", now + 2 * HOUR)


def test_a_transaction_that_stays_open_is_found_in_whatever_zone_the_server_is(
    own: Own, server: Server, tmp_path: Path
) -> None:
    bench = only(server, tmp_path, "transactions")
    own.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO t VALUES (1)")
    now = utcnow()
    with own.server.connect(database=own.name) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET id = 2")
        bench.read(now + timedelta(minutes=50))
        bench.assert_quiet("long-transactions", now + timedelta(minutes=50))
        bench.read(now + timedelta(minutes=70))
        found = bench.assert_fires("long-transactions", now + timedelta(minutes=70))
        assert found.evidence.value == pytest.approx(70 * 60, abs=30)
        cursor.execute("ROLLBACK")
    while int(own.server.value("SELECT COUNT(*) FROM information_schema.innodb_trx")):
        pass  # the server renews this table ten times a second
    bench.read(now + 3 * HOUR)
    bench.assert_quiet("long-transactions", now + 3 * HOUR)


def deadlock(own: Own) -> None:
    """Two sessions that lock the same two rows, each in its own order; the server rolls one back."""
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(own.server.connect(database=own.name)).cursor() for _ in range(2))
        first.execute("BEGIN")
        second.execute("BEGIN")
        first.execute("UPDATE t SET x = x + 1 WHERE id = 1")
        second.execute("UPDATE t SET x = x + 1 WHERE id = 2")
        errors: list[int] = []

        def cross() -> None:
            try:
                first.execute("UPDATE t SET x = x + 1 WHERE id = 2")
            except pymysql.err.OperationalError as error:
                errors.append(error.args[0])

        thread = threading.Thread(target=cross)
        thread.start()
        try:
            second.execute("UPDATE t SET x = x + 1 WHERE id = 1")
        except pymysql.err.OperationalError as error:
            errors.append(error.args[0])
        second.execute("ROLLBACK")
        thread.join()
    assert errors == [1213]


def test_deadlocks_are_counted_since_the_last_look(own: Own, server: Server, tmp_path: Path) -> None:
    bench = only(server, tmp_path, "connections and deadlocks")
    own.sql("CREATE TABLE t (id INT PRIMARY KEY, x INT) ENGINE=InnoDB", "INSERT INTO t VALUES (1, 0), (2, 0)")
    now = utcnow()
    bench.read(now)
    for _ in range(11):
        deadlock(own)
    bench.read(now + HOUR)
    assert bench.assert_fires("deadlocks", now + HOUR).evidence.value == pytest.approx(11)
    bench.read(now + 2 * HOUR)
    bench.assert_quiet("deadlocks", now + 2 * HOUR)


def test_a_column_whose_numbers_end_soon_is_found(own: Own, server: Server, tmp_path: Path) -> None:
    bench = only(server, tmp_path, "AUTO_INCREMENT columns")
    own.sql(
        "CREATE TABLE small (id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 210",
        "CREATE TABLE signed (id TINYINT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 90",
    )
    bench.read()
    assert bench.assert_fires("auto-increment", about=f"{own.name}.small").evidence.value == pytest.approx(210 / 255)
    assert bench.newest("db.auto_increment_share", table=f"{own.name}.signed") == pytest.approx(90 / 127)
    assert len(bench.findings("auto-increment")) == 1


BREAKS = {
    "a grant": ("GRANT UPDATE ON `{name}`.t TO crm@localhost", "grants"),
    "a column grant": ("GRANT UPDATE (x) ON `{name}`.t TO crm@localhost", "grants"),
    "a trigger that is gone": ("DROP TRIGGER `{name}`.guard", "triggers of {name}"),
    "a trigger that does something else": (
        "CREATE OR REPLACE TRIGGER `{name}`.guard BEFORE DELETE ON `{name}`.t FOR EACH ROW SET @x = 1",
        "triggers of {name}",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_grants_and_triggers_that_change_are_found(own: Own, server: Server, tmp_path: Path, what: str) -> None:
    bench = only(server, tmp_path, "grants and triggers")
    own.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, x INT)",
        "CREATE TRIGGER guard BEFORE DELETE ON t FOR EACH ROW SIGNAL SQLSTATE '45000'",
    )
    for days in (3, 2):
        bench.read(NOW - timedelta(days=days))
        bench.assert_quiet("grants-or-triggers-changed", NOW - timedelta(days=days))
    statement, label = (text.format(name=own.name) for text in BREAKS[what])
    own.sql(statement)
    bench.read()
    bench.assert_fires("grants-or-triggers-changed", about=label)
    assert len(bench.findings("grants-or-triggers-changed")) == 1
    own.server.sql("REVOKE ALL, GRANT OPTION FROM crm@localhost", "GRANT ALL ON *.* TO crm@localhost")


def fill(own: Own, mebibytes: int) -> None:
    own.sql(f"INSERT INTO log (body) SELECT REPEAT('x', 8000) FROM seq_1_to_{mebibytes * 128}", "ANALYZE TABLE log")


def test_a_table_that_suddenly_grows_is_found_and_one_that_grows_as_always_is_not(own: Own, tmp_path: Path) -> None:
    bench = only(own.server, tmp_path, "table sizes")
    own.sql("CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, body TEXT)")
    fill(own, 20)
    for day in reversed(range(1, 36)):
        own.sql("INSERT INTO log (body) SELECT REPEAT('x', 8000) FROM seq_1_to_64", "ANALYZE TABLE log")
        bench.read(NOW - timedelta(days=day))
    yesterday = NOW - timedelta(days=1)
    bench.assert_quiet("table-growth", yesterday)
    fill(own, 60)
    bench.read()
    bench.assert_fires("table-growth", about=f"{own.name}.log")


def test_a_server_that_does_not_answer_is_a_source_that_cannot_be_read(tmp_path: Path, server: Server) -> None:
    bench = Bench(tmp_path, mariadb.collectors(reach(server)))
    gone = Bench(tmp_path, mariadb.collectors(replace(reach(server), socket=tmp_path / "none")))
    bench.read()
    done = gone.collect(NOW + HOUR)
    assert all("cannot be reached" in (each.why or "") for each in done)
    assert "opsctl doctor" in (done[0].hint or "")


def test_an_account_that_may_not_look_is_told_what_it_lacks(tmp_path: Path, server: Server) -> None:
    server.sql("CREATE USER poor@localhost IDENTIFIED BY 'no secret'")
    try:
        bench = Bench(tmp_path, mariadb.collectors(replace(reach(server), user="poor")))
        done = {each.name: each for each in bench.collect()}
    finally:
        server.sql("DROP USER poor@localhost")
    assert "lacks a privilege" in (done["replication"].why or "")
    assert "GRANT" in (done["replication"].hint or "")
    assert done["connections and deadlocks"].why is None
