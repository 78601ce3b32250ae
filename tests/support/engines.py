"""The kinds of server that opsctl has to work with, whatever version is installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.mariadb import Server, running_server

LOGGING = ("--log-bin=bin", "--server-id=7", "--binlog-format=ROW")
ENGINES = ("encrypted", "plain")


@contextmanager
def engine(kind: str) -> Iterator[Server]:
    """A running server of a kind, with a binary log."""
    with running_server(LOGGING, encrypted=kind == "encrypted") as server:
        yield server
