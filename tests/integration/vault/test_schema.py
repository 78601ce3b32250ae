"""The schema: the trigger's hash is chain.py's, nothing but appending works, migrations resume."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest

from opsctl.core import chain
from opsctl.core.errors import OpsError
from opsctl.core.mariadb.connect import Connection, rows
from tests.support.mariadb import Server
from vault import audit, migrate
from vault.accounts import Role
from vault.context import Vault

VECTORS = Path(__file__).parents[2] / "vectors" / "chain.json"


def insert(connection: Connection, payload: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit (payload) VALUES (_binary %s)", (payload,))


def refused(vault: Vault, role: Role, *statements: str) -> str:
    """Run statements in one session; the last one must be refused. Returns what was said."""
    *before, last = statements
    with vault.connect(role) as connection:
        for statement in before:
            rows(connection, statement)
        with pytest.raises(pymysql.err.MySQLError) as caught:
            rows(connection, last)
    return str(caught.value)


def test_the_trigger_computes_the_vectors(vault: Vault, server: Server) -> None:
    vectors = json.loads(VECTORS.read_text())
    server.sql(
        f"USE {vault.database}",
        "DROP TRIGGER audit_head_update",
        "DROP TRIGGER audit_log_update",
        f"UPDATE audit_head SET log_id = x'{vectors['log_id']}'",
    )
    with vault.connect(Role.APP) as connection:
        for row in vectors["rows"]:
            insert(connection, bytes.fromhex(row["payload"]))
        found = list(audit.read(connection, first=1, last=100))
    assert [
        {
            "seq": row.seq,
            "prev_hash": row.prev_hash.hex(),
            "payload": row.payload.hex(),
            "row_hash": row.row_hash.hex(),
        }
        for row in found
    ] == vectors["rows"]


def test_many_rows_in_one_statement_are_chained(vault: Vault) -> None:
    with vault.connect(Role.APP) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit (payload) VALUES ('a'), ('b'), ('c')")
        log = audit.log_id(connection)
        assert log is not None
        found = list(chain.check(log, audit.read(connection, first=1, last=9)))
    assert len(found) == 3
    assert not any(isinstance(each, chain.Break) for each in found)


def test_a_rolled_back_row_leaves_no_gap(vault: Vault) -> None:
    with vault.connect(Role.APP) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit (payload) VALUES ('a')")
        connection.begin()
        cursor.execute("INSERT INTO audit (payload) VALUES ('never')")
        connection.rollback()
        cursor.execute("INSERT INTO audit (payload) VALUES ('b')")
        assert [row.seq for row in audit.read(connection, first=1, last=9)] == [1, 2]


def test_eight_writers_at_once_neither_fork_nor_gap(vault: Vault) -> None:
    def write(number: int) -> None:
        with vault.connect(Role.APP) as connection:
            for turn in range(25):
                insert(connection, b"%d/%d" % (number, turn))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with vault.connect(Role.READER) as connection:
        log = audit.log_id(connection)
        assert log is not None
        found = list(chain.check(log, audit.read(connection, first=1, last=1000)))
    assert len(found) == 200
    assert not any(isinstance(each, chain.Break) for each in found)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit (seq, payload) VALUES (18446744073709551615, 'x')",
        "INSERT INTO audit (payload, row_hash) VALUES ('x', '')",
        "REPLACE INTO audit (payload) VALUES ('x')",
        "INSERT INTO audit (payload) VALUES ('x') ON DUPLICATE KEY UPDATE payload = 'y'",
        "UPDATE audit SET payload = 'y'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "ALTER TABLE audit ADD COLUMN x INT",
        "DROP TRIGGER audit_insert",
        "SELECT * FROM audit_head",
        "UPDATE audit_head SET seq = 7",
        "RENAME TABLE audit TO audit2",
    ],
)
def test_the_application_can_only_append(vault: Vault, statement: str) -> None:
    with vault.connect(Role.APP) as connection:
        insert(connection, b"a")
    assert "denied" in refused(vault, Role.APP, statement)


@pytest.mark.parametrize("setting", ["insert_id = 1000", "sql_mode = ''"])
def test_session_variables_change_nothing(vault: Vault, setting: str) -> None:
    payload = bytes(range(256)) * 200
    with vault.connect(Role.APP) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION {setting}")
        insert(connection, payload)
        assert [(row.seq, row.payload) for row in audit.read(connection, first=1, last=2000)] == [(1, payload)]


def test_a_payload_that_is_too_long_is_refused_and_not_cut(vault: Vault) -> None:
    with vault.connect(Role.APP) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        with pytest.raises(pymysql.err.OperationalError, match="65536"):
            insert(connection, b"x" * 65537)


@pytest.mark.parametrize("table", ["audit", "audit_head", "audit_log"])
def test_even_root_meets_the_triggers_of_the_audit_tables(vault: Vault, table: str) -> None:
    with vault.connect(Role.APP) as connection:
        insert(connection, b"a")
    flag = "SET @opsctl_vault_change = 'because'"
    column = "payload = 'b'" if table == "audit" else "log_id = REPEAT('x', 16)"
    assert "audit log" in refused(vault, Role.ADMIN, flag, f"UPDATE {table} SET {column}")
    assert "audit log" in refused(vault, Role.ADMIN, flag, f"DELETE FROM {table}")


CHAT = "INSERT INTO chats (name, zone, created_at) VALUES ('c', 'UTC', NOW())"
IMPORT = (
    "INSERT INTO imports (chat_id, source_name, source_sha256, date_order, started_at)"
    " SELECT id, 'f', '', 'dmy', NOW() FROM chats"
)
MESSAGE = (
    "INSERT INTO messages (chat_id, sent_local, sent_at, place, kind, body, digest, occurrence, import_id, line_no)"
    " SELECT chat_id, NOW(), NOW(), 1, 'text', 'é', '', 1, id, 1 FROM imports"
)


def test_messages_are_deleted_only_by_the_eraser_and_only_with_the_flag(vault: Vault) -> None:
    with vault.connect(Role.IMPORTER) as connection:
        for statement in (CHAT, IMPORT, MESSAGE):
            rows(connection, statement)
    flag = "SET @opsctl_vault_change = 'request 7'"
    delete = "DELETE FROM messages"
    assert "denied" in refused(vault, Role.IMPORTER, flag, delete)
    assert "denied" in refused(vault, Role.APP, flag, delete)
    assert "says why" in refused(vault, Role.ERASER, delete)
    assert "says why" in refused(vault, Role.ADMIN, delete)
    with vault.connect(Role.ERASER) as connection:
        rows(connection, flag)
        rows(connection, delete)


@pytest.mark.parametrize("change", ["body = 'e'", "body = 'É'", "sent_at = '2001-01-01'", "digest = 'x'"])
def test_what_was_received_never_changes_even_for_root_with_the_flag(vault: Vault, change: str) -> None:
    with vault.connect(Role.IMPORTER) as connection:
        for statement in (CHAT, IMPORT, MESSAGE):
            rows(connection, statement)
    flag = "SET @opsctl_vault_change = 'request 7'"
    assert "never changes" in refused(vault, Role.ADMIN, flag, f"UPDATE messages SET {change}")
    assert "says why" in refused(vault, Role.ADMIN, "UPDATE messages SET place = 2")


def test_a_second_init_changes_nothing(vault: Vault) -> None:
    with vault.connect(Role.READER) as connection:
        before = audit.log_id(connection)
    again = migrate.initialise(vault)
    assert (again.applied, again.before[-1]) == ((), again.newest)
    with vault.connect(Role.READER) as connection:
        assert audit.log_id(connection) == before


def test_a_migration_that_was_interrupted_anywhere_resumes(
    vault: Vault, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.sql(f"DROP DATABASE {vault.database}")
    execute = migrate._execute

    def failing(after: int) -> Callable[..., None]:
        left = [after]

        def run(connection: Connection, statement: str, *values: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise InterruptedError
            execute(connection, statement, *values)

        return run

    for after in (3, 8, 12, 15, 20, 24, 30, 36, 50, 70):
        monkeypatch.setattr(migrate, "_execute", failing(after))
        with pytest.raises(InterruptedError):
            migrate.initialise(vault)
    monkeypatch.setattr(migrate, "_execute", execute)
    done = migrate.initialise(vault)
    assert [*done.before, *done.applied] == [m.version for m in migrate.migrations()]
    with vault.connect(Role.APP) as connection:
        insert(connection, b"a")


def test_a_vault_from_the_future_or_from_another_file_is_refused(vault: Vault, server: Server) -> None:
    server.sql(f"UPDATE {vault.database}.schema_versions SET sha256 = REPEAT('0', 64) WHERE version = 2")
    with pytest.raises(OpsError, match="another file"):
        migrate.migrate(vault)
    server.sql(
        f"DELETE FROM {vault.database}.schema_versions WHERE version = 2",
        f"INSERT INTO {vault.database}.schema_versions VALUES (999, 'new', '', NOW())",
    )
    with pytest.raises(OpsError, match="has schema 999"):
        migrate.migrate(vault)
