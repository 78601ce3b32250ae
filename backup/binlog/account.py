"""What to do when the server refuses the account that ships binary logs."""

from opsctl.core.errors import AuthError
from opsctl.stack.settings import DatabaseSection


def refused(database: DatabaseSection, said: str) -> AuthError:
    """The error for a login that the server refuses."""
    return AuthError(
        f"the database server refuses {database.ship_user}: {said}",
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
