"""A vault on a server of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mariadb import Server, running_server
from tests.support.vault import make_vault
from vault.context import Vault


@pytest.fixture(scope="package")
def shared_server() -> Iterator[Server]:
    """One server for all tests that need no server of their own; each test has its own vault on it."""
    with running_server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.fixture
def vault(server: Server, tmp_path: Path) -> Iterator[Vault]:
    """An empty vault with accounts of its own."""
    made = make_vault(server, tmp_path)
    yield made
    server.sql(f"DROP DATABASE IF EXISTS `{made.database}`")
