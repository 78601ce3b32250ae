"""Connections to a MariaDB server over its Unix socket."""

import contextlib
import os
import socket as sockets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pymysql
from pydantic import SecretStr
from pymysql.constants import CR, ER

from opsctl.core.errors import AuthError, OpsError, UnreachableError
from opsctl.core.mariadb.privileges import grant_hint
from opsctl.core.secret_file import loaded

CONNECT_TIMEOUT_S = 10
_REFUSED = (ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, 1698, CR.CR_AUTH_PLUGIN_CANNOT_LOAD)  # 1698: no password
_LACKING = (ER.SPECIFIC_ACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR)
_GONE = (
    *(CR.CR_CONNECTION_ERROR, CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST),
    *(ER.CON_COUNT_ERROR, ER.SERVER_SHUTDOWN),
)
_LOOK = "is it running? run: opsctl doctor"

Connection: TypeAlias = "pymysql.Connection[Any]"


def read_password(file: Path | None, user: str) -> SecretStr | None:
    """Read a password file, without the line end; None for unix_socket authentication. Raises AuthError."""
    if file is None:
        return None
    try:
        return SecretStr(loaded(file).read_text().rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise AuthError(
            f"the password of {user} cannot be read: {error}",
            where=str(file),
            hint="write it there with mode 0600, owned by the user that runs opsctl",
        ) from error


@contextlib.contextmanager
def connected(socket: Path, *, user: str, password: SecretStr | None, timeout_s: float) -> Iterator[Connection]:
    """Connect, autocommitting, and close at the end of the block; no statement may take longer than `timeout_s`.

    What the server refuses inside of the block is raised as OpsError as well: AuthError (exit code 5) for accounts,
    passwords and privileges, UnreachableError (10) for a server that is not there, does not answer, or goes away.
    """
    with explained(socket, user):
        connection = pymysql.connect(
            user=user,
            password=_password_bytes(password),
            charset="utf8mb4",
            autocommit=True,
            read_timeout=timeout_s,
            write_timeout=timeout_s,
            defer_connect=True,
        )
        # The driver would leave its own socket open when nobody listens.
        connection.connect(_dial(socket))
        with connection:
            yield connection


def _password_bytes(password: SecretStr | None) -> Any:
    """The password in UTF-8, as accounts have it; the driver would take text to be Latin-1."""
    return b"" if password is None else password.get_secret_value().encode()


def _dial(path: Path) -> sockets.socket:
    dialled = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        dialled.settimeout(CONNECT_TIMEOUT_S)
        dialled.connect(os.fspath(path))
        dialled.settimeout(None)
    except OSError as error:
        dialled.close()
        raise UnreachableError(
            f"the database server cannot be reached: {error.strerror or error}", where=str(path), hint=_LOOK
        ) from error
    return dialled


@contextlib.contextmanager
def explained(socket: Path, user: str) -> Iterator[None]:
    """Turn the driver's errors into OpsErrors that say what to do."""
    try:
        yield
    except pymysql.err.MySQLError as error:
        raise _explain(error, socket, user) from error


def _explain(error: pymysql.err.MySQLError, socket: Path, user: str) -> OpsError:
    number = error.args[0] if error.args else 0
    said = str(error.args[1]) if len(error.args) > 1 else str(error)
    where = str(socket)
    if number in _REFUSED:
        return AuthError(
            f"the database server refuses {user}: {said}",
            where=where,
            hint=f"compare {user} with its password file in the settings; as root: SHOW CREATE USER {user}@localhost",
        )
    if number in _LACKING:
        return AuthError(f"{user} lacks a privilege: {said}", where=where, hint=grant_hint(said, user))
    if number in _GONE:
        return UnreachableError(f"the database server cannot be reached: {said}", where=where, hint=_LOOK)
    return OpsError(f"the database server says: {said} ({number})", where=where, hint="run: opsctl doctor")


def rows(connection: Connection, statement: str, *values: object) -> tuple[tuple[Any, ...], ...]:
    """Run one statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return tuple(cursor.fetchall())
