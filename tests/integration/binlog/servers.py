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
