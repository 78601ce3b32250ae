"""Machines whose commands meet bad input: one for tests that leave it as it was, and new ones."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kills.machine import LOGGING, Machine, make_machine
from tests.support.mariadb import Server, running_server


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets, which restored servers may pass through."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    """A server as it should be, for all tests that leave it so."""
    with running_server(LOGGING) as running:
        yield running


@pytest.fixture(scope="package")
def original(server: Server) -> Iterator[Machine]:
    """A machine with one backup and one shipment; copy it."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        machine = make_machine(Path(name) / "m", server)
        machine.succeed("backup", "run")
        machine.succeed("binlog", "ship")
        yield machine


@pytest.fixture
def machine(original: Machine, directory: Path) -> Machine:
    """A machine of the test's own with one backup and one shipment, on the server that all share."""
    return original.copy(directory / "m")
