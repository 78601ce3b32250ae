"""Makes the vault's database and brings it to the newest schema.

Each numbered file runs whole and is recorded with its digest. DDL cannot be rolled back, so every statement in a file
may run twice: a migration that was interrupted runs its file again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode, OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.connect import Connection, read_password, rows
from opsctl.stack.accounts import native_hash
from vault.accounts import DEFINER, GRANTS, Role, account, grant_statements, grants, user_of
from vault.context import Vault
from vault.settings import VaultSection

_FILE = re.compile(r"(\d{4})_([a-z_]+)\.sql")
_LOCK = "opsctl-vault-migrate"
_RECORD = """
CREATE TABLE IF NOT EXISTS schema_versions (
  version INT UNSIGNED NOT NULL,
  name VARCHAR(64) NOT NULL,
  sha256 CHAR(64) NOT NULL,
  applied_at DATETIME(6) NOT NULL,
  PRIMARY KEY (version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


@dataclass(frozen=True)
class Migration:
    """A numbered file of the schema."""

    version: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Digest of the file, in hexadecimal."""
        return sha256_hex(self.text.encode())

    def statements(self) -> Iterator[str]:
        """Its statements, without comments before them."""
        for part in self.text.split("\n//\n"):
            lines = part.splitlines()
            while lines and (not lines[0].strip() or lines[0].startswith(("--", "DELIMITER"))):
                del lines[0]
            if lines:
                yield "\n".join(lines)


@dataclass(frozen=True)
class Migrated:
    """What a run found and did: the versions that were there, and those it applied."""

    before: tuple[int, ...]
    applied: tuple[int, ...]
    newest: int


def migrations() -> tuple[Migration, ...]:
    """All migrations that this opsctl knows, in order."""
    found = []
    for file in files("vault.schema").iterdir():
        if match := _FILE.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def initialise(vault: Vault) -> Migrated:
    """Make the database and the accounts, apply every migration, give every privilege; again does no harm."""
    with vault.connect(Role.ADMIN, select=False) as connection:
        _execute(connection, f"CREATE DATABASE IF NOT EXISTS `{vault.database}` CHARACTER SET utf8mb4")
    return migrate(vault)


def migrate(vault: Vault) -> Migrated:
    """Apply what is missing. Raises OpsError when the database is newer than this opsctl or its history differs."""
    known = migrations()
    with vault.connect(Role.ADMIN) as connection:
        _lock(connection, vault)
        _create_accounts(connection, vault.settings)
        _execute(connection, _RECORD)
        before = _applied(connection, known, vault)
        todo = [migration for migration in known if migration.version not in before]
        for migration in todo:
            vault.progress.step(f"schema {migration.version:04} {migration.name}")
            _apply(connection, migration)
        _give_grants(connection, vault)
    return Migrated(tuple(before), tuple(m.version for m in todo), known[-1].version)


def reapply(connection: Connection, *, versions: tuple[int, ...]) -> None:
    """Run files again that make what is not there: every statement of them may run twice."""
    for migration in migrations():
        if migration.version in versions:
            for statement in migration.statements():
                _execute(connection, statement)


def _lock(connection: Connection, vault: Vault) -> None:
    if rows(connection, "SELECT GET_LOCK(%s, 0)", f"{_LOCK}-{vault.database}") != ((1,),):
        raise OpsError("another run migrates the vault", where=vault.database, exit_code=ExitCode.LOCKED)


def _applied(connection: Connection, known: tuple[Migration, ...], vault: Vault) -> list[int]:
    recorded = dict(rows(connection, "SELECT version, sha256 FROM schema_versions ORDER BY version"))
    for version, digest in recorded.items():
        ours = next((migration for migration in known if migration.version == version), None)
        if ours is None:
            raise OpsError(
                f"the vault has schema {version}; this opsctl knows {known[-1].version}",
                where=vault.database,
                hint="use the opsctl that made it, or a newer one",
            )
        if ours.sha256 != digest:
            raise OpsError(
                f"the vault's schema {version:04} was made from another file than this opsctl has",
                where=vault.database,
                hint="run: opsctl doctor, which compares every table and trigger",
                exit_code=ExitCode.INTEGRITY,
            )
    return list(recorded)


def _apply(connection: Connection, migration: Migration) -> None:
    for statement in migration.statements():
        _execute(connection, statement)
    failpoint("vault.migrate")
    record = "INSERT INTO schema_versions VALUES (%s, %s, %s, %s)"
    _execute(connection, record, migration.version, migration.name, migration.sha256, utcnow().replace(tzinfo=None))


def _create_accounts(connection: Connection, settings: VaultSection) -> None:
    _execute(connection, f"CREATE USER IF NOT EXISTS {account(DEFINER)} ACCOUNT LOCK")
    for role in GRANTS:
        user, file = user_of(settings, role)
        password = read_password(file, user)
        create = f"CREATE USER IF NOT EXISTS {account(user)} IDENTIFIED"
        if password is None:
            _execute(connection, f"{create} VIA unix_socket")
        else:
            # The server writes statements into its logs, so that they get the hash only.
            _execute(connection, f"{create} VIA mysql_native_password USING %s", native_hash(password))


def _give_grants(connection: Connection, vault: Vault) -> None:
    """Give what is missing; what is too much is for the probes to find and for a person to take."""
    for user, given in grants(vault.settings):
        for statement in grant_statements(vault.database, user, given):
            _execute(connection, statement)


def _execute(connection: Connection, statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
