"""What the vault's tables, triggers and privileges are on a server, against what they were made as.

Everything is read from information_schema, where it is spelled alike by every release, as one JSON array a row; a
definition's digest is SHA-256 over its rows. The expected digests are part of the package.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files

from opsctl.core.mariadb.connect import read_password
from opsctl.core.process import CommandFailedError, client_options, command
from opsctl.core.runner import Runner
from vault.accounts import HOST, Role, grants, user_of
from vault.context import Vault

TIMEOUT_S = 60.0

_TABLES = (
    """SELECT JSON_ARRAY(table_name, 'table', table_type, engine, row_format, table_collation, create_options)
       FROM information_schema.tables WHERE table_schema = '{db}' ORDER BY table_name""",
    """SELECT JSON_ARRAY(table_name, 'column', column_name, column_type, is_nullable, column_default, collation_name,
              extra, generation_expression)
       FROM information_schema.columns WHERE table_schema = '{db}' ORDER BY table_name, ordinal_position""",
    """SELECT JSON_ARRAY(table_name, 'index', index_name, non_unique, seq_in_index, column_name, index_type)
       FROM information_schema.statistics WHERE table_schema = '{db}' ORDER BY table_name, index_name, seq_in_index""",
    """SELECT JSON_ARRAY(table_name, 'foreign key', constraint_name, referenced_table_name, update_rule, delete_rule)
       FROM information_schema.referential_constraints WHERE constraint_schema = '{db}'
       ORDER BY table_name, constraint_name""",
    """SELECT JSON_ARRAY(table_name, 'check', constraint_name, check_clause)
       FROM information_schema.check_constraints WHERE constraint_schema = '{db}'
       ORDER BY table_name, constraint_name""",
    """SELECT JSON_ARRAY(table_name, 'partition', partition_name, partition_method, partition_expression)
       FROM information_schema.partitions WHERE table_schema = '{db}' AND partition_name IS NOT NULL
       ORDER BY table_name, partition_ordinal_position""",
)
_TRIGGERS = """SELECT JSON_ARRAY(trigger_name, event_object_table, action_timing, event_manipulation, action_order,
                     action_statement, sql_mode)
               FROM information_schema.triggers WHERE trigger_schema = '{db}' ORDER BY trigger_name"""
_DEFINERS = """SELECT JSON_ARRAY(trigger_name, definer) FROM information_schema.triggers
               WHERE trigger_schema = '{db}' ORDER BY trigger_name"""
_LOCKED = (
    "SELECT JSON_ARRAY(user, JSON_VALUE(priv, '$.account_locked')) FROM mysql.global_priv WHERE user = '{definer}'"
)

# Whatever lets somebody at a table of the vault: on the table, a column, the database; and what the vault's accounts
# may do beyond it. Who else has privileges on everything (root, who makes backups) is not the vault's to say.
_PRIVILEGES = (
    """SELECT JSON_ARRAY(grantee, privilege_type, table_name, '') FROM information_schema.table_privileges
       WHERE table_schema = '{db}'""",
    """SELECT JSON_ARRAY(grantee, privilege_type, table_name, column_name) FROM information_schema.column_privileges
       WHERE table_schema = '{db}'""",
    """SELECT JSON_ARRAY(grantee, privilege_type, CONCAT(table_schema, '.*'), '')
       FROM information_schema.schema_privileges WHERE {mine} OR '{db}' LIKE table_schema""",
    """SELECT JSON_ARRAY(grantee, privilege_type, '*.*', '') FROM information_schema.user_privileges
       WHERE {mine} AND privilege_type <> 'USAGE'""",
    """SELECT JSON_ARRAY(CONCAT('''', user, '''@''', host, ''''), 'ROLE', role, '') FROM mysql.roles_mapping
       WHERE CONCAT('''', user, '''@''', host, '''') IN ({accounts}) AND admin_option = 'N'""",
)


def query(host: Runner, vault: Vault, statement: str) -> Iterator[list[str]]:
    """Run a statement that returns JSON arrays as the administrator. Raises OpsError."""
    user, file = user_of(vault.settings, Role.ADMIN)
    with client_options(user=user, password=read_password(file, user), socket=vault.socket) as (option, descriptor):
        cmd = command("mariadb", option, "--batch", "--raw", "--skip-column-names", "-e", statement)
        done = host.run(cmd.prefixed((), pass_fds=(descriptor,)), timeout_s=TIMEOUT_S)
    if not done.ok:
        raise CommandFailedError(done)
    for line in done.text().splitlines():
        yield json.loads(line)


def tables(host: Runner, vault: Vault) -> dict[str, str]:
    """The digest of every table's definition."""
    found: dict[str, list[object]] = {}
    for statement in _TABLES:
        for table, *definition in query(host, vault, statement.format(db=vault.database)):
            found.setdefault(table, []).append(definition)
    return {table: _digest(definition) for table, definition in found.items()}


def triggers(host: Runner, vault: Vault) -> dict[str, str]:
    """The digest of every trigger: its table, event, body and SQL mode."""
    found = query(host, vault, _TRIGGERS.format(db=vault.database))
    return {name: _digest(definition) for name, *definition in found}


def definers(host: Runner, vault: Vault) -> dict[str, str]:
    """Who owns each trigger."""
    found = query(host, vault, _DEFINERS.format(db=vault.database))
    return {row[0]: row[1] for row in found}


def definer_is_locked(host: Runner, vault: Vault, definer: str) -> bool:
    """Whether nobody can log in as the owner of the triggers."""
    found = list(query(host, vault, _LOCKED.format(definer=definer)))
    return bool(found) and all(locked in ("1", "true") for _, locked in found)


def privileges(host: Runner, vault: Vault) -> set[tuple[str, str, str]]:
    """Who may do what: account (with its host unless that is localhost), privilege, and on what."""
    users = [user for user, _ in grants(vault.settings)]
    accounts = ", ".join("'" + _grantee(user).replace("'", "''") + "'" for user in users)
    mine = f"(grantee IN ({accounts}) OR grantee LIKE '''PUBLIC''@%')"
    found = set()
    for statement in _PRIVILEGES:
        filled = statement.format(db=vault.database, mine=mine, accounts=accounts)
        for grantee, privilege, table, column in query(host, vault, filled):
            found.add((_account(grantee), privilege, f"{table}.{column}" if column else table))
    return found


def expected_privileges(vault: Vault) -> set[tuple[str, str, str]]:
    """What they should be allowed."""
    return {
        (user, grant.privilege, f"{grant.table}.{grant.column}" if grant.column else grant.table)
        for user, given in grants(vault.settings)
        for grant in given
    }


def expected(what: str) -> dict[str, str]:
    """The digests of `tables` or `triggers` as the newest schema makes them."""
    digests: dict[str, dict[str, str]] = json.loads(files("vault.schema").joinpath("digests.json").read_text())
    return digests[what]


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is missing, changed, or there without being known."""
    missing = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    changed = [
        f"{name} is not as it was made"
        for name in sorted(expected)
        if found.get(name, expected[name]) != expected[name]
    ]
    extra = [f"{name} is not part of the vault" for name in sorted(found.keys() - expected.keys())]
    return [*missing, *changed, *extra]


def _digest(definition: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(definition, ensure_ascii=False).encode()).hexdigest()


def _account(grantee: str) -> str:
    user, _, host = grantee.rpartition("@")
    name, place = user.strip("'"), host.strip("'")
    return name if place == HOST else f"{name}@{place}"


def _grantee(user: str) -> str:
    return f"'{user}'@'{HOST}'"
