"""opsctl's accounts on the database server: the least each needs, the SQL that grants it, what is missing of it."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from opsctl.core.mariadb.heartbeat import HEARTBEAT_SCHEMA, HEARTBEAT_TABLE
from opsctl.stack.settings import DatabaseSection

EVERYTHING = "*.*"
_GRANT = re.compile(r"GRANT (?P<privileges>.+?) ON (?P<on>\S+) TO ")
_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Grant:
    """One privilege on everything or on one table, and what it is needed for."""

    privilege: str
    on: str
    why: str


@dataclass(frozen=True)
class Account:
    """One of opsctl's accounts: what for, its name, its password file, what it needs."""

    role: str
    user: str
    password_file: Path | None
    grants: tuple[Grant, ...]


# REFERENCES reads no row; it makes every table visible in information_schema.
BACKUP_GRANTS = (
    Grant("RELOAD", EVERYTHING, "to hold the database still at the end of a backup"),
    Grant("PROCESS", EVERYTHING, "to see the engine's state"),
    Grant("LOCK TABLES", EVERYTHING, "to hold the database still at the end of a backup"),
    Grant("BINLOG MONITOR", EVERYTHING, "to note the binary log's position"),
    Grant("REFERENCES", EVERYTHING, "to list all tables without reading any"),
)

EXPORT_GRANTS = (
    Grant("SELECT", EVERYTHING, "to read every row, and the text of routines"),
    Grant("SHOW VIEW", EVERYTHING, "to read the text of views"),
    Grant("EXECUTE", EVERYTHING, "to describe views that call functions"),
    Grant("TRIGGER", EVERYTHING, "to read the text of triggers"),
    Grant("EVENT", EVERYTHING, "to read the text of events"),
    Grant("RELOAD", EVERYTHING, "to hold commits back for the moment in which it begins"),
    Grant("PROCESS", EVERYTHING, "to see that the export has begun"),
    Grant("BINLOG MONITOR", EVERYTHING, "to note the binary log's position"),
)

WATCH_GRANTS = (
    Grant("SELECT", EVERYTHING, "to count rows, and to see who may do what"),
    Grant("TRIGGER", EVERYTHING, "to see whether triggers changed"),
    Grant("PROCESS", EVERYTHING, "to see open transactions"),
    Grant("SLAVE MONITOR", EVERYTHING, "to see whether a replica follows"),
)


def ship_grants() -> tuple[Grant, ...]:
    """What the account that ships needs. It can write nothing but the heartbeat."""
    return (
        Grant("RELOAD", EVERYTHING, "to begin a new binary log"),
        Grant("BINLOG MONITOR", EVERYTHING, "to list binary logs"),
        Grant("REPLICATION SLAVE", EVERYTHING, "to read binary logs"),
        Grant("SELECT", HEARTBEAT_TABLE, "to read the heartbeat"),
        Grant("INSERT", HEARTBEAT_TABLE, "to write the first heartbeat"),
        Grant("UPDATE", HEARTBEAT_TABLE, "to write the heartbeat"),
    )


def missing(wanted: Iterable[Grant], shown: Iterable[str]) -> tuple[Grant, ...]:
    """Which grants are not covered by the lines of SHOW GRANTS."""
    held: dict[str, set[str]] = {}
    for line in shown:
        match = _GRANT.match(line)
        if match:
            privileges = {privilege.strip().upper() for privilege in match["privileges"].split(",")}
            held.setdefault(match["on"].replace("`", ""), set()).update(privileges)
    return tuple(grant for grant in wanted if not any(_covers(held.get(on, ()), grant) for on in _scopes(grant.on)))


def grant_sql(user: str, grants: Iterable[Grant]) -> list[str]:
    """The statements that give an account what it lacks, one for each object."""
    by_object: dict[str, list[str]] = {}
    for grant in grants:
        by_object.setdefault(grant.on, []).append(grant.privilege)
    return [f"GRANT {', '.join(names)} ON {on} TO {account(user)};" for on, names in by_object.items()]


def heartbeat_sql() -> list[str]:
    """The statements that make the heartbeat table."""
    return [
        f"CREATE DATABASE IF NOT EXISTS {HEARTBEAT_SCHEMA};",
        f"CREATE TABLE IF NOT EXISTS {HEARTBEAT_TABLE}"
        " (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL) ENGINE=InnoDB;",
    ]


def accounts_sql(database: DatabaseSection, passwords: Mapping[str, SecretStr]) -> str:
    """The whole SQL for all accounts and the heartbeat table; running it again changes nothing.

    It holds the passwords' hashes only, in the form in which the server itself stores them.
    """
    lines = [
        "-- opsctl's accounts and its heartbeat table. Run it as the database's root.",
        *heartbeat_sql(),
    ]
    for user, grants in ((each.user, each.grants) for each in accounts(database)):
        how = f"IDENTIFIED VIA mysql_native_password USING '{native_hash(passwords[user])}'"
        lines += ["", f"CREATE USER IF NOT EXISTS {account(user)} {how};", f"ALTER USER {account(user)} {how};"]
        lines += [f"--   {grant.privilege}: {grant.why}" for grant in grants]
        lines += grant_sql(user, grants)
    return "\n".join(lines) + "\n"


def accounts(database: DatabaseSection) -> tuple[Account, ...]:
    """The accounts that the settings name; those for exports and for measuring only where they do."""
    found = [
        Account("backup", database.backup_user, database.backup_password_file, BACKUP_GRANTS),
        Account("ship", database.ship_user, database.ship_password_file, ship_grants()),
    ]
    if database.export_user is not None:
        found.append(Account("export", database.export_user, database.export_password_file, EXPORT_GRANTS))
    if database.watch_user is not None:
        found.append(Account("watch", database.watch_user, database.watch_password_file, WATCH_GRANTS))
    return tuple(found)


def account(user: str) -> str:
    """An account of this host in SQL; plain names as they are, others quoted."""
    return f"{user}@localhost" if _NAME.fullmatch(user) else f"'{user.replace(chr(39), chr(39) * 2)}'@'localhost'"


def native_hash(password: SecretStr) -> str:
    """The hash of mysql_native_password: `*` and SHA-1 of SHA-1, in upper-case hexadecimal.

    https://mariadb.com/kb/en/authentication-plugin-mysql_native_password/
    """
    inner = hashlib.sha1(password.get_secret_value().encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _covers(privileges: Iterable[str], grant: Grant) -> bool:
    return grant.privilege in privileges or "ALL PRIVILEGES" in privileges


def _scopes(on: str) -> tuple[str, ...]:
    """The object itself and what contains it: `a.b`, `a.*`, `*.*`."""
    return (on, f"{on.partition('.')[0]}.*", EVERYTHING)
