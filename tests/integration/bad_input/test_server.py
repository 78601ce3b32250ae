"""A database server that is not there, refuses, or is not as it should be."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from tests.integration.bad_input.refusals import can_be_typed, refuses
from tests.integration.kills.machine import LOGGING, Machine, make_machine
from tests.support.mariadb import Server, running_server

BACKUP_RIGHTS = ("RELOAD", "PROCESS", "BINLOG MONITOR", "REFERENCES")
SHIP_RIGHTS = (
    ("RELOAD", "*.*"),
    ("BINLOG MONITOR", "*.*"),
    ("REPLICATION SLAVE", "*.*"),
    ("SELECT", "opsctl.heartbeat"),
    ("INSERT", "opsctl.heartbeat"),
    ("UPDATE", "opsctl.heartbeat"),
)


def fix(server: Server, said: str) -> None:
    """Do what the hint says, word for word."""
    statement = re.search(r"GRANT .*? TO \S+", " ".join(said.split()))
    assert statement, said
    server.sql(statement[0])


@pytest.mark.parametrize("words", ["backup run", "binlog ship"])
def test_without_a_server_its_socket_is_named(machine: Machine, words: str) -> None:
    machine.change(database={"socket": "/run/mysqld/no.sock"})
    refuses(machine, words, ExitCode.UNREACHABLE, "cannot be reached", "/run/mysqld/no.sock", "opsctl doctor")


@pytest.mark.parametrize(("words", "account"), [("backup run", "backup"), ("binlog ship", "ship")])
def test_a_wrong_password_names_the_account(machine: Machine, words: str, account: str) -> None:
    (machine.directory / f"etc/{account}.password").write_text("not-the-password\n")
    socket = str(machine.server.socket)
    refuses(machine, words, ExitCode.AUTH, f"refuses opsctl_{account}", socket, "SHOW CREATE USER")


@pytest.mark.parametrize(("words", "account"), [("backup run", "backup"), ("binlog ship", "ship")])
def test_a_missing_password_names_its_file(machine: Machine, words: str, account: str) -> None:
    file = machine.directory / f"etc/{account}.password"
    file.unlink()
    refuses(machine, words, ExitCode.AUTH, f"password of opsctl_{account}", str(file), "0600")


@pytest.mark.parametrize("privilege", BACKUP_RIGHTS)
def test_what_the_backup_account_lacks_comes_with_its_sql(machine: Machine, privilege: str) -> None:
    machine.server.sql(f"REVOKE {privilege} ON *.* FROM opsctl_backup@localhost")
    try:
        ended = refuses(machine, "backup run", ExitCode.AUTH, "opsctl_backup", f"GRANT {privilege} ON *.*")
        fix(machine.server, ended.err)
        machine.succeed("backup", "run")
    finally:
        machine.server.sql(f"GRANT {privilege} ON *.* TO opsctl_backup@localhost")


@pytest.mark.parametrize(("privilege", "on"), SHIP_RIGHTS)
def test_what_the_ship_account_lacks_comes_with_its_sql(machine: Machine, privilege: str, on: str) -> None:
    machine.server.sql(f"REVOKE {privilege} ON {on} FROM opsctl_ship@localhost")
    try:
        ended = refuses(machine, "binlog ship", ExitCode.AUTH, "opsctl_ship", privilege)
        fix(machine.server, ended.err)
        machine.succeed("binlog", "ship")
    finally:
        machine.server.sql(f"GRANT {privilege} ON {on} TO opsctl_ship@localhost")


@pytest.fixture
def careless(directory: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine whose server was started with the options that the test asks for."""
    with running_server(request.param) as server:
        yield make_machine(directory / "m", server)


def with_options(*options: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("careless", [options], indirect=True)


def doctor_says(machine: Machine, *said: str) -> None:
    """Doctor finds these, each with something to type next."""
    ended = machine.opsctl("doctor", "--json")
    assert ended.code == ExitCode.FINDINGS, ended
    failed = [result for result in json.loads(ended.out)["results"] if result["outcome"] == "failed"]
    for words in said:
        assert any(words in f"{result['found']} {result['hint']}" for result in failed), failed
    for result in failed:
        can_be_typed(result["hint"])


@with_options("--server-id=7")
def test_without_a_binary_log_there_are_backups_and_no_shipments(careless: Machine) -> None:
    careless.succeed("backup", "run")
    refuses(careless, "binlog ship", ExitCode.USAGE, "writes no binary log", "log_bin", "opsctl backup run")
    doctor_says(careless, "log_bin is OFF")


@with_options(*LOGGING, "--binlog-do-db=shop")
def test_a_log_of_some_databases_only_is_refused(careless: Machine) -> None:
    refuses(careless, "binlog ship", ExitCode.USAGE, "binlog_do_db is 'shop'", "remove binlog_do_db")
    doctor_says(careless, "binlog_do_db is shop")


@with_options(*LOGGING, "--binlog-ignore-db=cache")
def test_a_log_that_passes_over_a_database_is_refused(careless: Machine) -> None:
    refuses(careless, "binlog ship", ExitCode.USAGE, "binlog_ignore_db is 'cache'", "remove binlog_ignore_db")
    doctor_says(careless, "binlog_ignore_db is cache")


@with_options(
    *(*LOGGING, "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0"),
    *("--binlog-expire-logs-seconds=86400", "--binlog-format=STATEMENT"),
)
def test_what_a_power_cut_or_a_weekend_would_lose_is_found(careless: Machine) -> None:
    doctor_says(
        careless,
        *("sync_binlog is 0", "innodb_flush_log_at_trx_commit is 0", "binary logs are kept for 1 days"),
        *("binlog_format is STATEMENT", "systemctl restart mariadb"),
    )
    for words in ("backup run", "binlog ship"):
        careless.succeed(*words.split())


@with_options(*LOGGING, "--version=11.8.2-MariaDB")
def test_a_server_newer_than_the_tools_is_refused_before_anything_is_read(careless: Machine) -> None:
    for words in ("backup run", "binlog ship"):
        refuses(
            careless, words, ExitCode.USAGE, "MariaDB 11.8.2", "mariadb-backup 10.", "apt-get install mariadb-backup"
        )
    doctor_says(careless, "of another series than the server's 11.8.2")
    assert not careless.repository.exists()


@with_options(*LOGGING, "--wsrep-on=ON")
def test_a_galera_node_is_refused_with_the_reason(careless: Machine) -> None:
    for words in ("backup run", "binlog ship"):
        refuses(careless, words, ExitCode.USAGE, "Galera node (wsrep_on)", "single servers only", "opsctl doctor")
    doctor_says(careless, "Galera node")
    assert not careless.repository.exists()
