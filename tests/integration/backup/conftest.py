"""What tests of backups share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mariadb import Server, running_server

LOGGING = ("--log-bin=bin", "--server-id=7", "--binlog-format=ROW")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """A server with encrypted tables and a binary log, for tests that leave it as it is."""
    with running_server(LOGGING, encrypted=True) as running:
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    """Such a server for one test alone."""
    with running_server(LOGGING, encrypted=True) as running:
        yield running
