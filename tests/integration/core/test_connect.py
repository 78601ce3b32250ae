"""Connecting to a real server, and what is said when that fails."""

import getpass
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from opsctl.core.errors import AuthError, ExitCode, OpsError, UnreachableError
from opsctl.core.mariadb.connect import connected, read_password, rows
from tests.support.mariadb import Server, running_server

PASSWORD = SecretStr("""q'u"o\\te #;é""")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with one account that may do nothing."""
    with running_server() as running:
        with running.connect(charset="utf8mb4") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER known@localhost IDENTIFIED BY %s", (PASSWORD.get_secret_value(),))
        yield running


def test_a_password_of_any_characters_logs_in(server: Server) -> None:
    with connected(server.socket, user="known", password=PASSWORD, timeout_s=10) as connection:
        assert rows(connection, "SELECT CURRENT_USER(), %s", "é") == (("known@localhost", "é"),)


def test_without_a_password_the_operating_systems_user_logs_in(server: Server) -> None:
    name = getpass.getuser()
    server.sql(
        f"CREATE OR REPLACE USER {name}@localhost IDENTIFIED VIA unix_socket", f"GRANT ALL ON *.* TO {name}@localhost"
    )
    with connected(server.socket, user=name, password=None, timeout_s=10) as connection:
        assert rows(connection, "SELECT CURRENT_USER()") == ((f"{name}@localhost",),)


def test_a_wrong_password_is_exit_code_5_and_is_not_repeated(server: Server) -> None:
    with (
        pytest.raises(AuthError, match="refuses known") as raised,
        connected(server.socket, user="known", password=SecretStr("wrong-one"), timeout_s=10),
    ):
        pass
    assert raised.value.exit_code is ExitCode.AUTH
    assert "wrong-one" not in f"{raised.value} {raised.value.hint}"


def test_a_missing_privilege_is_exit_code_5(server: Server) -> None:
    with (
        pytest.raises(AuthError, match="lacks a privilege"),
        connected(server.socket, user="known", password=PASSWORD, timeout_s=10) as connection,
    ):
        rows(connection, "SHOW BINARY LOGS")


def test_another_refusal_by_the_server_is_exit_code_1(server: Server) -> None:
    with (
        pytest.raises(OpsError, match="SQL syntax") as raised,
        connected(server.socket, user="known", password=PASSWORD, timeout_s=10) as connection,
    ):
        rows(connection, "SELEKT 1")
    assert raised.value.exit_code is ExitCode.FAILED


def test_a_socket_that_nobody_listens_on_is_exit_code_10(tmp_path: Path) -> None:
    with (
        pytest.raises(UnreachableError, match="cannot be reached") as raised,
        connected(tmp_path / "no.sock", user="known", password=PASSWORD, timeout_s=10),
    ):
        pass
    assert raised.value.exit_code is ExitCode.UNREACHABLE


def test_a_server_that_ends_while_we_are_connected_is_exit_code_10() -> None:
    def ask_the_dead(running: Server) -> None:
        with connected(running.socket, user="root", password=None, timeout_s=10) as connection:
            running.kill()
            rows(connection, "SELECT 1")

    with running_server() as running, pytest.raises(UnreachableError):
        ask_the_dead(running)


def test_a_password_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" with spaces \n")
    password = read_password(file, "known")
    assert password is not None
    assert password.get_secret_value() == " with spaces "


def test_a_password_file_that_is_not_there_is_exit_code_5(tmp_path: Path) -> None:
    with pytest.raises(AuthError) as raised:
        read_password(tmp_path / "password", "known")
    assert raised.value.where == str(tmp_path / "password")
