"""Probes of the accounts' privileges, one for each, with the SQL that gives what is missing."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from opsctl.core.errors import AuthError, OpsError
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.mariadb.connect import connected, read_password, rows
from opsctl.core.mariadb.heartbeat import HEARTBEAT_TABLE
from opsctl.core.runner import Runner
from opsctl.overview.probes.server import TIMEOUT_S
from opsctl.stack.accounts import Grant, accounts, grant_sql, heartbeat_sql, missing
from opsctl.stack.settings import DatabaseSection

# Compiled by the server, which checks the privileges, and true for no row: nothing is written and nothing logged.
_WRITES = (
    "UPDATE {table} SET at = UTC_TIMESTAMP(6) WHERE id = 1 AND FALSE",
    "INSERT INTO {table} (id, at) SELECT 1, UTC_TIMESTAMP(6) FROM DUAL WHERE FALSE",
)


def grant_probes(database: DatabaseSection) -> list[Look]:
    """A probe for each privilege of each account, and one that tries to write the heartbeat."""
    probes = [
        Look(
            f"grant.{account.role}.{grant.privilege.lower().replace(' ', '_')}",
            f"{account.user} has {grant.privilege}",
            f"{grant.privilege} on {grant.on}, {grant.why}",
            partial(_look, database.socket, account.user, account.password_file, grant),
        )
        for account in accounts(database)
        for grant in account.grants
    ]
    probes.append(
        Look(
            "server.heartbeat",
            "the heartbeat can be written",
            f"{database.ship_user} may write {HEARTBEAT_TABLE}",
            partial(_heartbeat, database),
            failing=(AuthError,),
        )
    )
    return probes


def _look(socket: Path, user: str, password_file: Path | None, grant: Grant, host: Runner) -> Seen:
    shown = _shown(socket, user, password_file)
    lacking = missing([grant], shown)
    if lacking:
        return bad(
            f"{user} lacks {grant.privilege} on {grant.on}", f"as the database's root: {grant_sql(user, lacking)[0]}"
        )
    return good(f"{grant.privilege} on {grant.on}")


def _shown(socket: Path, user: str, password_file: Path | None) -> Sequence[str]:
    password = read_password(password_file, user)
    with connected(socket, user=user, password=password, timeout_s=TIMEOUT_S) as connection:
        return [line for (line,) in rows(connection, "SHOW GRANTS")]


def _heartbeat(database: DatabaseSection, host: Runner) -> Seen:
    password = read_password(database.ship_password_file, database.ship_user)
    try:
        with connected(database.socket, user=database.ship_user, password=password, timeout_s=TIMEOUT_S) as connection:
            for statement in _WRITES:
                rows(connection, statement.format(table=HEARTBEAT_TABLE))
            found = rows(connection, f"SELECT at FROM {HEARTBEAT_TABLE} WHERE id = 1")  # noqa: S608 - fixed
    except AuthError:
        raise
    except OpsError as error:
        return bad(str(error), f"as the database's root: {' '.join(heartbeat_sql())}")
    return good(f"the last heartbeat is of {found[0][0]} UTC" if found else "there was no heartbeat yet")
