"""One server for all tests of a module, each with databases of its own."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from anomaly_rules.collectors.database import Database
from opsctl.overview.demo.layout import DATA
from opsctl.stack.accounts import WATCH_GRANTS, grant_sql
from tests.support.mariadb import Server, running_server

_NUMBERS = itertools.count(1)


@dataclass
class Own:
    """A database of the test's own on the shared server."""

    server: Server
    name: str
    database: Database

    def sql(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        """Run statements in it; the rows of the last one."""
        return self.server.sql(f"USE `{self.name}`", *statements)

    def load(self, script: str) -> None:
        """Run a script of the demo, without its encryption."""
        text = (DATA / "sql" / script).read_text()
        for key in (2, 3):
            text = text.replace(f" ENCRYPTED=YES ENCRYPTION_KEY_ID={key}", "")
        self.sql(*(statement for statement in text.split(";\n\n") if statement.strip()))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server whose own time zone is far from UTC."""
    with running_server(["--default-time-zone=+05:30", "--max-connections=20"]) as running:
        running.sql("CREATE USER crm@localhost IDENTIFIED VIA unix_socket", "GRANT ALL ON *.* TO crm@localhost")
        add_watcher(running)
        yield running


@pytest.fixture
def own(server: Server) -> Iterator[Own]:
    """An empty database."""
    name = f"own{next(_NUMBERS)}"
    server.sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    yield Own(server, name, reach(server))
    server.sql(f"DROP DATABASE `{name}`")


def add_watcher(server: Server) -> None:
    """The account that measures, with what `opsctl init` grants it and nothing else."""
    (server.directory / "watch.password").write_text("no secret\n")
    grants = [statement.rstrip(";") for statement in grant_sql("opsctl_watch", WATCH_GRANTS)]
    server.sql("CREATE USER opsctl_watch@localhost IDENTIFIED BY 'no secret'", *grants)


def reach(server: Server, *, timeout_s: float = 20) -> Database:
    """How collectors reach a server."""
    return Database(server.socket, "opsctl_watch", server.directory / "watch.password", timeout_s)
