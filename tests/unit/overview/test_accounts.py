"""The two accounts: what SHOW GRANTS covers, and the SQL for what it does not."""

import hashlib

import pytest
from pydantic import SecretStr

from opsctl.stack.accounts import (
    BACKUP_GRANTS,
    account,
    accounts_sql,
    grant_sql,
    missing,
    native_hash,
    ship_grants,
)
from opsctl.stack.settings import DatabaseSection

TO = "TO `opsctl_backup`@`localhost` IDENTIFIED BY PASSWORD '*0123456789ABCDEF0123456789ABCDEF01234567'"
FULL = f"GRANT RELOAD, PROCESS, REFERENCES, LOCK TABLES, BINLOG MONITOR ON *.* {TO}"


def test_grants_that_are_there_are_not_missing() -> None:
    assert missing(BACKUP_GRANTS, [FULL]) == ()


@pytest.mark.parametrize("grant", BACKUP_GRANTS, ids=lambda grant: grant.privilege)
def test_each_grant_that_is_not_there_is_missing(grant: object) -> None:
    privilege = getattr(grant, "privilege", "")
    names = [name for name in ("RELOAD", "PROCESS", "REFERENCES", "LOCK TABLES", "BINLOG MONITOR") if name != privilege]
    assert missing(BACKUP_GRANTS, [f"GRANT {', '.join(names)} ON *.* {TO}"]) == (grant,)


def test_all_privileges_cover_everything() -> None:
    assert missing(BACKUP_GRANTS, [f"GRANT ALL PRIVILEGES ON *.* {TO}"]) == ()


def test_usage_covers_nothing() -> None:
    assert missing(BACKUP_GRANTS, [f"GRANT USAGE ON *.* {TO}"]) == BACKUP_GRANTS


@pytest.mark.parametrize("scope", ["`opsctl`.`heartbeat`", "`opsctl`.*", "*.*"])
def test_a_grant_on_what_contains_a_table_covers_the_table(scope: str) -> None:
    shown = [
        f"GRANT RELOAD, REPLICATION SLAVE, BINLOG MONITOR ON *.* {TO}",
        f"GRANT SELECT, INSERT, UPDATE ON {scope} {TO}",
    ]
    assert missing(ship_grants(), shown) == ()


def test_a_grant_on_another_table_covers_nothing() -> None:
    lacking = missing(ship_grants(), [f"GRANT SELECT, INSERT, UPDATE ON `opsctl`.`other` {TO}"])
    assert {"SELECT", "INSERT", "UPDATE"} <= {grant.privilege for grant in lacking}


def test_the_sql_names_each_object_once() -> None:
    assert grant_sql("ship", ship_grants()) == [
        "GRANT RELOAD, BINLOG MONITOR, REPLICATION SLAVE ON *.* TO ship@localhost;",
        "GRANT SELECT, INSERT, UPDATE ON opsctl.heartbeat TO ship@localhost;",
    ]


def test_a_name_that_is_none_is_quoted() -> None:
    assert account("o'brien") == "'o''brien'@'localhost'"


def test_the_sql_holds_no_password() -> None:
    passwords = {"opsctl_backup": SecretStr("first-secret"), "opsctl_ship": SecretStr("second-secret")}
    text = accounts_sql(DatabaseSection(), passwords)
    assert "secret" not in text
    assert native_hash(SecretStr("first-secret")) in text


def test_the_hash_is_the_servers_own() -> None:
    inner = hashlib.sha1(b"mariadb", usedforsecurity=False).digest()
    assert native_hash(SecretStr("mariadb")) == "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()
    # SELECT PASSWORD('mariadb'), as the manual prints it
    assert native_hash(SecretStr("mariadb")) == "*54958E764CE10E50764C2EECBB71D01F08549980"
