"""The account that ships binary logs, and what to do when the server refuses it."""

from pydantic import SecretStr

from opsctl.core.errors import AuthError
from opsctl.stack.settings import DatabaseSection


def ship_password(database: DatabaseSection) -> SecretStr | None:
    """Read the account's password; None for unix_socket authentication. Raises AuthError when the file is unusable."""
    path = database.ship_password_file
    if path is None:
        return None
    try:
        return SecretStr(path.read_text().rstrip("\r\n"))
    except OSError as error:
        raise AuthError(
            f"the password of {database.ship_user} cannot be read: {error.strerror}",
            where=str(path),
            hint="write it there with mode 0600, owned by the user that ships",
        ) from error


def refused(database: DatabaseSection, said: str) -> AuthError:
    """The error for a login that the server refuses."""
    return AuthError(
        f"the server refuses {database.ship_user}: {said}",
        where=str(database.socket),
        hint="compare the account with database.ship_user and database.ship_password_file",
    )


def lacks(database: DatabaseSection, privilege: str, said: str, *, on: str = "*.*") -> AuthError:
    """The error for an account without a privilege; it names the SQL that grants it."""
    return AuthError(
        f"{database.ship_user} lacks {privilege} on {on}: {said}",
        where=str(database.socket),
        hint=f"as the database's root: GRANT {privilege} ON {on} TO '{database.ship_user}'@'localhost'",
    )
