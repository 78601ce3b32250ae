"""Looks at the database: it answers, its replication runs, its queues are worked off."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from opsctl.core.look import Look
from opsctl.core.result import Outcome, Result
from opsctl.core.runner import LocalRunner
from opsctl.health.database import database_probes
from opsctl.health.settings import HealthSection, QueueSection
from opsctl.stack.settings import DatabaseSection
from tests.support.mariadb import Server, running_server

ENDLESS = ", ".join(f"information_schema.COLLATIONS AS c{number}" for number in range(6))
MAIL = QueueSection(name="mail", sql="SELECT COUNT(*) FROM crm.mail_queue WHERE sent IS NULL", limit=3)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(["--server-id=1", "--log-bin=bin"]) as found:
        found.sql(
            "CREATE USER health@localhost",
            "CREATE DATABASE crm",
            "CREATE TABLE crm.mail_queue (id INT AUTO_INCREMENT PRIMARY KEY, sent DATETIME NULL)",
            "GRANT SELECT ON crm.mail_queue TO health@localhost",
        )
        yield found


def looks(server: Server, *queues: QueueSection, **settings: object) -> dict[str, Look]:
    health = HealthSection.model_validate({"database_user": "health", **settings})
    database = DatabaseSection(socket=server.socket)
    return {probe.id: probe for probe in database_probes(database, health, queues)}


def look(server: Server, name: str, *queues: QueueSection, **settings: object) -> Result:
    return looks(server, *queues, **settings)[name].run(LocalRunner())


def test_a_server_that_answers_is_well_and_one_that_is_killed_is_not() -> None:
    with running_server() as server:
        server.sql("CREATE USER health@localhost")
        assert look(server, "database.answers").outcome is Outcome.PASSED
        server.kill()
        found = look(server, "database.answers")
    assert found.outcome is Outcome.FAILED
    assert "cannot be reached" in found.found


def test_a_server_that_refuses_the_account_is_a_failure(server: Server) -> None:
    assert look(server, "database.answers", database_user="nobody_of_that_name").outcome is Outcome.FAILED


def test_a_queue_is_well_until_it_is_longer_than_its_limit(server: Server) -> None:
    server.sql("DELETE FROM crm.mail_queue", "INSERT INTO crm.mail_queue VALUES (), (), ()")
    found = look(server, "queue.mail", MAIL)
    assert (found.outcome, found.figures) == (Outcome.PASSED, {"depth": 3.0})
    server.sql("INSERT INTO crm.mail_queue VALUES ()")
    assert look(server, "queue.mail", MAIL).outcome is Outcome.FAILED
    server.sql("UPDATE crm.mail_queue SET sent = NOW()")
    assert look(server, "queue.mail", MAIL).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1, 2", "one row with one number"),
        ("SELECT 'many'", "one row with one number"),
        ("SELECT 1 FROM crm.mail_queue WHERE FALSE", "one row with one number"),
        ("SELECT COUNT(*) FROM crm.secret", "lacks a privilege"),
        ("DELETE FROM crm.mail_queue", "lacks a privilege"),
        ("SELECT COUNT(", "SQL syntax"),
        (f"SELECT COUNT(*) FROM {ENDLESS}", "max_statement_time"),
    ],
)
def test_a_query_that_gives_no_number_could_not_be_looked_at(server: Server, sql: str, words: str) -> None:
    found = look(server, "queue.x", QueueSection(name="x", sql=sql, limit=3), timeout_s=1)
    assert found.outcome is Outcome.COULD_NOT_RUN
    assert words in found.found


def test_without_the_privilege_replication_could_not_be_looked_at_and_the_grant_is_named(server: Server) -> None:
    found = look(server, "database.replication", replica=True)
    assert found.outcome is Outcome.COULD_NOT_RUN
    assert found.hint is not None
    assert "GRANT SLAVE MONITOR ON *.* TO 'health'@'localhost'" in found.hint


@contextlib.contextmanager
def source() -> Iterator[tuple[Server, int]]:
    """A server on a loopback port. Another program may take a port before the server does, so a few are tried."""
    for attempt in range(5):
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            port = chosen.getsockname()[1]
        options = ["--skip-networking=0", "--bind-address=127.0.0.1", f"--port={port}", "--server-id=1", "--log-bin=b"]
        with contextlib.ExitStack() as stack:
            try:
                server = stack.enter_context(running_server(options))
            except AssertionError:
                if attempt == 4:
                    raise
                continue
            yield server, port
            return


def test_a_replica_is_well_while_both_its_threads_run_and_it_is_not_late() -> None:
    with source() as (origin, port), running_server(["--server-id=2"]) as replica:
        origin.sql("CREATE USER repl@127.0.0.1 IDENTIFIED BY 'r'", "GRANT REPLICATION SLAVE ON *.* TO repl@127.0.0.1")
        replica.sql("CREATE USER health@localhost", "GRANT SLAVE MONITOR ON *.* TO health@localhost")
        assert "no replica" in look(replica, "database.replication", replica=True).found
        replica.sql(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='repl', MASTER_PASSWORD='r',"
            " MASTER_USE_GTID=slave_pos",
            "START SLAVE",
        )
        assert replica.value(f"SELECT MASTER_GTID_WAIT('{origin.value('SELECT @@gtid_binlog_pos')}', 60)") == 0
        found = look(replica, "database.replication", replica=True)
        assert (found.outcome, found.figures) == (Outcome.PASSED, {"lag_s": 0.0})
        replica.sql("STOP SLAVE SQL_THREAD")
        assert "the SQL thread does not run (No)" in look(replica, "database.replication", replica=True).found
        replica.sql("START SLAVE SQL_THREAD", "STOP SLAVE IO_THREAD")
        assert "the IO thread does not run (No)" in look(replica, "database.replication", replica=True).found
