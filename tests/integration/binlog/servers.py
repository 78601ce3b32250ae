"""What tests of shipping do to servers."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from opsctl.stack.settings import DatabaseSection
from tests.support.mariadb import Server

PASSWORD = "p'w\\ \"#;"


def database(server: Server, directory: Path, *, user: str = "ship", password: str = PASSWORD) -> DatabaseSection:
    """Settings that name `server` and an account on it, with its password file in `directory`."""
    file = directory / f"{user}.password"
    file.write_text(password + "\n")
    file.chmod(0o600)
    return DatabaseSection(socket=server.socket, ship_user=user, ship_password_file=file)


def add_account(server: Server, user: str, *grants: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {user}@localhost IDENTIFIED BY %s", (PASSWORD,))
        for grant in grants:
            cursor.execute(f"GRANT {grant} ON *.* TO {user}@localhost")


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """The server takes connections and answers nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def binlogs(server: Server) -> list[str]:
    """The names of the server's binary logs."""
    return [name for name, *_ in server.sql("SHOW BINARY LOGS")]


def purge_to(server: Server, name: str) -> None:
    """Purge all binary logs before `name`.

    Until InnoDB's next checkpoint the server quietly keeps some; a restart makes one, and begins another log.
    """
    server.restart()
    server.sql(f"PURGE BINARY LOGS TO '{name}'")
    assert binlogs(server)[0] == name


def expire_all(server: Server) -> None:
    """From the next flush on, the server keeps none of the logs that are closed now."""
    server.restart()
    for name in binlogs(server)[:-1]:
        os.utime(server.datadir / name, (1e9, 1e9))
    server.sql("SET GLOBAL expire_logs_days = 1")
