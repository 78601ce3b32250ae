"""What tests of logical exports share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.everything import fill
from tests.support.mariadb import Server, running_server

LOGGING = ("--log-bin=bin", "--server-id=7", "--binlog-format=ROW")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets, which the sandbox's user may pass."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def full_server() -> Iterator[Server]:
    """A server with encrypted tables, a binary log and one of everything, for tests that leave it as it is."""
    with running_server(LOGGING, encrypted=True) as running:
        fill(running)
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    """A small server for one test alone."""
    with running_server(LOGGING) as running:
        yield running
