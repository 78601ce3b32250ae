"""One small server, a machine that has done everything once, and one that has done nothing yet; tests copy them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kills.machine import LOGGING, Machine, make_machine
from tests.support.mariadb import Server, running_server

_TABLE = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (i INT PRIMARY KEY, note LONGTEXT)",
    "INSERT INTO shop.t VALUES (1, 'first')",
)


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    with running_server(LOGGING) as running:
        running.sql(*_TABLE)
        yield running


@pytest.fixture(scope="package")
def new_machine(server: Server) -> Iterator[Machine]:
    """Set up, and nothing done yet; only to be copied."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield make_machine(Path(name) / "m", server)


@pytest.fixture(scope="package")
def used_machine(new_machine: Machine) -> Machine:
    """With two backups, three shipments, a drill before the last one, and new work; only to be copied."""
    machine = new_machine.copy(new_machine.directory.with_name("used"))
    for number, words in enumerate((("backup", "run"), ("binlog", "ship"), ("backup", "run"), ("binlog", "ship"))):
        machine.succeed(*words)
        machine.server.sql(f"INSERT INTO shop.t VALUES ({number + 10}, 'work')")
    machine.succeed("drill", "run")
    machine.succeed("binlog", "ship")
    machine.server.sql("INSERT INTO shop.t VALUES (20, 'not shipped')")
    return machine


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short one that the sandbox's user may pass."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def machine(used_machine: Machine, directory: Path) -> Machine:
    """A copy of the used machine for one test."""
    return used_machine.copy(directory / "m")
