"""What SQL gives an account the privilege that the server has just missed."""

import re

# Of several that would do, the server names the most powerful first.
_GLOBAL = re.compile(r"need \(at least one of\) the (?:[A-Z ]+, )*([A-Z ]+) privilege\(s\)")
# Of a column the server names the table without its database: that is not enough for a GRANT.
_TABLE = re.compile(r"([A-Z ]+) command denied to user '.*?'@'.*?' for table (`[^`]+`\.`[^`]+`)")


def grant_for(said: str, user: str) -> str | None:
    """The GRANT that the server's refusal asks for; None when it does not say.

    `said` is its message for error 1227 or 1142
    (https://mariadb.com/kb/en/mariadb-error-codes/); `user` is an account of localhost.
    """
    account = f"'{user}'@'localhost'"
    if found := _GLOBAL.search(said):
        return f"GRANT {found[1]} ON *.* TO {account}"
    if found := _TABLE.search(said):
        return f"GRANT {found[1].strip()} ON {found[2]} TO {account}"
    return None


def grant_hint(said: str, user: str) -> str:
    """The next thing to type after a refusal."""
    grant = grant_for(said, user)
    if grant is None:
        return f"see what it may do, as the database's root: SHOW GRANTS FOR '{user}'@'localhost'"
    return f"as the database's root: {grant}"
