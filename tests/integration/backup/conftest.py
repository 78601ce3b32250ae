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


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with encrypted tables and a binary log."""
    with running_server(LOGGING, encrypted=True) as running:
        yield running
