"""Fetching from real servers: what arrives, and what each refusal says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.binlog.fetch import BinlogGoneError, fetch_raw
from opsctl.core.errors import AuthError, SettingsError, UnreachableError
from opsctl.core.mariadb.binlog import scan
from opsctl.stack.settings import DatabaseSection
from tests.integration.binlog.servers import add_account, database, frozen
from tests.support.mariadb import Server, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(["--log-bin=bin", "--server-id=7"], encrypted=True) as server:
        add_account(server, "ship", "REPLICATION SLAVE")
        add_account(server, "stranger")
        server.sql("CREATE DATABASE shop", "FLUSH BINARY LOGS", "CREATE DATABASE more")
        yield server


def test_files_arrive_decrypted_with_the_size_they_have_on_the_server(server: Server, tmp_path: Path) -> None:
    sizes = {name: size for name, size, *_ in server.sql("SHOW BINARY LOGS")}
    paths = fetch_raw(database(server, tmp_path), list(sizes), tmp_path, timeout_s=60)
    assert {path.name: path.stat().st_size for path in paths} == sizes
    assert scan(paths[0]).rotate_to == paths[1].name
    assert scan(paths[1]).transactions == 1


def test_a_wrong_password_is_an_error_of_authentication(server: Server, tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="Access denied for user 'ship'") as caught:
        fetch_raw(database(server, tmp_path, password="wrong"), ["bin.000001"], tmp_path, timeout_s=60)
    assert "wrong" not in str(caught.value)


def test_a_missing_password_file_is_an_error_of_authentication(server: Server, tmp_path: Path) -> None:
    section = DatabaseSection(socket=server.socket, ship_user="ship", ship_password_file=tmp_path / "none")
    with pytest.raises(AuthError, match="cannot be read"):
        fetch_raw(section, ["bin.000001"], tmp_path, timeout_s=60)


def test_a_missing_privilege_is_named_with_the_statement_that_grants_it(server: Server, tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="REPLICATION SLAVE") as caught:
        fetch_raw(database(server, tmp_path, user="stranger"), ["bin.000001"], tmp_path, timeout_s=60)
    assert caught.value.hint is not None
    server.sql(caught.value.hint.split(": ", 1)[1])
    fetch_raw(database(server, tmp_path, user="stranger"), ["bin.000001"], tmp_path, timeout_s=60)


def test_a_purged_file_is_an_error_of_its_own(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BinlogGoneError, match=r"bin\.000099"):
        fetch_raw(database(server, tmp_path), ["bin.000099"], tmp_path, timeout_s=60)


def test_a_server_without_a_binary_log_is_an_error_of_settings(tmp_path: Path) -> None:
    with running_server(["--server-id=7"]) as server:
        add_account(server, "ship", "REPLICATION SLAVE")
        with pytest.raises(SettingsError, match="writes no binary log") as caught:
            fetch_raw(database(server, tmp_path), ["bin.000001"], tmp_path, timeout_s=60)
    assert caught.value.hint is not None
    assert "log_bin" in caught.value.hint
    with pytest.raises(UnreachableError):
        fetch_raw(database(server, tmp_path), ["bin.000001"], tmp_path, timeout_s=60)


def test_a_server_that_hangs_is_unreachable_when_the_time_is_over(tmp_path: Path) -> None:
    with running_server(["--log-bin=bin", "--server-id=7"]) as server:
        add_account(server, "ship", "REPLICATION SLAVE")
        with frozen(server), pytest.raises(UnreachableError, match="within 1 s"):
            fetch_raw(database(server, tmp_path), ["bin.000001"], tmp_path, timeout_s=1)
