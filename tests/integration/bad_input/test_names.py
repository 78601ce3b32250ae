"""Names that need quoting, and definers that do not exist: through a backup, a shipment and a drill."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from tests.integration.bad_input.refusals import refuses
from tests.integration.kills.machine import LOGGING, Machine, make_machine
from tests.support.mariadb import Server, running_server

ODD = (
    "back`tick",
    "single'quote",
    'double"quote',
    "a.dot",
    "a space",
    "#hash",
    "select",
    "größe-表",
    "cafe\u0301",
    "per%cent_",
    "semi;colon",
    "back\\slash",
    "$dollar",
    "-- dashes",
    "CamelCase",
)


@pytest.fixture(scope="module")
def odd_server() -> Iterator[Server]:
    with running_server(LOGGING) as server:
        yield server


def quoted(*names: str) -> str:
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def fill(server: Server) -> None:
    """Each odd name is that of a database, a table, a column, a view, a trigger, a routine and an event."""
    for name in ODD:
        table = quoted(name, name)
        server.sql(
            f"CREATE DATABASE {quoted(name)}",
            f"CREATE TABLE {table} (id INT PRIMARY KEY AUTO_INCREMENT, {quoted(name)} TEXT) ENGINE=InnoDB",
            # mariadb-backup itself cannot lock what has a backtick in its name and is not of InnoDB.
            f"CREATE TABLE {quoted(name, name + ' other')} (i INT) ENGINE={'InnoDB' if '`' in name else 'Aria'}",
            f"CREATE DEFINER=gone@nowhere VIEW {quoted(name, name + ' view')} AS SELECT * FROM {table}",
            f"CREATE TRIGGER {quoted(name, name)} BEFORE INSERT ON {table} FOR EACH ROW SET NEW.id = NEW.id",
            f"CREATE DEFINER=gone@nowhere PROCEDURE {quoted(name, name)}() SELECT 1",
            f"CREATE DEFINER=gone@nowhere EVENT {quoted(name, name)} ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            f"INSERT INTO {table} ({quoted(name)}) VALUES ('before')",
        )


def with_a_lost_definer(server: Server) -> None:
    """A trigger whose definer was dropped: who writes to its table is refused."""
    server.sql(
        "CREATE DATABASE lost",
        "CREATE TABLE lost.t (i INT)",
        "CREATE DEFINER=gone@nowhere TRIGGER lost.refused BEFORE INSERT ON lost.t FOR EACH ROW SET NEW.i = 1",
        "CREATE TABLE lost.partitioned (i INT) PARTITION BY HASH (i) PARTITIONS 3",
        "CREATE SEQUENCE lost.numbers",
        "CREATE DEFINER=gone@nowhere VIEW lost.broken AS SELECT i FROM lost.t",
        "ALTER TABLE lost.t CHANGE i j INT",
    )


def work_on(server: Server) -> None:
    """Statements for the binary logs, in rows and as text."""
    for name in ODD:
        table = quoted(name, name)
        server.sql(
            f"USE {quoted(name)}",
            f"INSERT INTO {table} ({quoted(name)}) VALUES ('after')",
            f"ALTER TABLE {table} ADD COLUMN {quoted('new ' + name)} INT",
            f"CREATE TABLE {quoted('new ' + name)} LIKE {table}",
            f"ALTER EVENT {quoted(name)} COMMENT 'changed'",
        )


def outcomes(machine: Machine) -> Sequence[tuple[str, str, str]]:
    report = json.loads(machine.opsctl("drill", "run", "--json").out)["report"]
    return [(result["id"], result["outcome"], result["found"]) for result in report["body"]["results"]]


def test_odd_names_and_lost_definers_pass_all_eight_checks(odd_server: Server, directory: Path) -> None:
    fill(odd_server)
    with_a_lost_definer(odd_server)
    machine = make_machine(directory / "m", odd_server)
    machine.succeed("backup", "run")
    work_on(odd_server)
    machine.succeed("binlog", "ship")
    found = outcomes(machine)
    assert [outcome for _, outcome, _ in found] == ["passed"] * 8, found
    manifest = json.loads(machine.succeed("backup", "show", "--json"))["manifest"]
    tables = {(table["database"], table["name"]) for table in manifest["database"]["tables"]}
    assert {(name, name) for name in ODD} <= tables


def test_what_has_an_odd_name_comes_back_with_its_rows(odd_server: Server, directory: Path) -> None:
    machine = make_machine(directory / "m", odd_server)
    machine.succeed("backup", "run")
    odd_server.sql(*(f"INSERT INTO {quoted(name, name)} ({quoted(name)}) VALUES ('last')" for name in ODD))
    machine.succeed("binlog", "ship")
    target = directory / "restored"
    machine.succeed("restore", "--latest", "--to", str(target))
    with running_server(("--skip-grant-tables",), datadir=target / "data") as restored:
        for name in ODD:
            values = [
                value for (value,) in restored.sql(f"SELECT {quoted(name)} FROM {quoted(name, name)} ORDER BY id")
            ]
            assert values == [value for (value,) in odd_server.sql(f"SELECT {quoted(name)} FROM {quoted(name, name)}")]
            assert values[-1] == "last"


def test_a_name_that_mariadb_backup_cannot_lock_is_named(odd_server: Server, directory: Path) -> None:
    machine = make_machine(directory / "m", odd_server)
    odd_server.sql("CREATE DATABASE shop", "CREATE TABLE shop.`tick``ed` (i INT) ENGINE=Aria")
    try:
        refuses(machine, "backup run", ExitCode.FAILED, "cannot lock the table `shop`.`tick`ed`", "RENAME TABLE")
    finally:
        odd_server.sql("DROP DATABASE shop")
    machine.succeed("backup", "run")
