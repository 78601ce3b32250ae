"""Users, roles and grants as SQL, in the words in which the server itself shows them.

`mariadb-dump --system=users` is no help: it fails to quote names, and leaves out what is granted to PUBLIC.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backup.logical.inventory import Ask, quoted

_ENGINE = ("mariadb.sys", "localhost")  # made by each server itself
_PUBLIC = "PUBLIC"
# Privileges that older versions do not know stand in statements of their own, so that nothing else fails with them.
_NEW = ("SHOW CREATE ROUTINE",)  # since 11.3
_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?P<rest>.+)", re.DOTALL)


@dataclass(frozen=True)
class Accounts:
    """All accounts and roles, as `user@host` and by name, and the SQL that makes them on another server."""

    users: tuple[str, ...]
    roles: tuple[str, ...]
    sql: bytes


def read_accounts(ask: Ask) -> Accounts:
    """Ask the server. What is there already on the server that loads it is replaced."""
    found = ask("SELECT User, Host, is_role, default_role FROM mysql.user ORDER BY User, Host")
    users = [(user, host) for user, host, role, _ in found if role != "Y" and (user, host) != _ENGINE]
    roles = [user for user, _, role, _ in found if role == "Y" and user.upper() != _PUBLIC]
    defaults = {(user, host): role for user, host, _, role in found if role}
    lines = ["-- Accounts, roles and grants. Load it after the databases, and before the views."]
    lines += [_or_replace(str(ask(f"SHOW CREATE USER {_account(user)}")[0][0])) for user in users]
    lines += [f"CREATE OR REPLACE ROLE {quoted(role)}" for role in roles]
    grants = [line for user in users for line in _grants(ask, _account(user))]
    grants += [line for role in (*roles, *_public(ask)) for line in _grants(ask, quoted(role))]
    # Roles before what has been granted to them; each line once, since those of a role show up with its members.
    lines += sorted(dict.fromkeys(grants), key=lambda line: " ON " in line)
    lines += [f"SET DEFAULT ROLE {quoted(role)} FOR {_account(user)}" for user, role in defaults.items()]
    sql = lines[0] + "\n" + "".join(f"{line};\n" for line in lines[1:])
    return Accounts(tuple(f"{user}@{host}" for user, host in users), tuple(roles), sql.encode())


def _public(ask: Ask) -> Sequence[str]:
    """PUBLIC, if this server knows it and anything was ever granted to it (since 10.11)."""
    found = ask(f"SELECT User FROM mysql.global_priv WHERE UPPER(User) = '{_PUBLIC}' AND Host = ''")  # noqa: S608 - fixed words
    return [_PUBLIC] if found else []


def _grants(ask: Ask, account: str) -> list[str]:
    name = _PUBLIC if account == quoted(_PUBLIC) else account
    shown = [str(line) for (line,) in ask(f"SHOW GRANTS FOR {name}")]
    return [part for line in shown if line.startswith("GRANT ") for part in _apart(line)]


def _apart(line: str) -> list[str]:
    """A grant, with what older versions do not know in a grant of its own."""
    match = _GRANT.fullmatch(line)
    if match is None:
        return [line]
    privileges = match["what"].split(", ")
    new = [each for each in privileges if each in _NEW]
    old = [each for each in privileges if each not in _NEW]
    return [f"GRANT {', '.join(part)} ON {match['rest']}" for part in (old, new) if part]


def _or_replace(statement: str) -> str:
    return "CREATE OR REPLACE USER" + statement.removeprefix("CREATE USER")


def _account(user: tuple[str, str]) -> str:
    return f"{quoted(user[0])}@{quoted(user[1])}"
