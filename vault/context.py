"""What everything in the vault works with: where the database is, who one is there, where checkpoints lie."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.core.mariadb.connect import Connection, connected, read_password
from opsctl.core.progress import Progress, Silent
from vault.accounts import Role, user_of
from vault.settings import VaultSection

# Nothing is ever cut, rounded or shifted on its way in, whatever the server's own settings are.
_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
    "time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1"
)


@dataclass(frozen=True)
class Vault:
    """A vault on a server reached over `socket`."""

    socket: Path
    settings: VaultSection
    progress: Progress = field(default_factory=Silent)

    @property
    def database(self) -> str:
        """The database's name."""
        return self.settings.database

    @contextlib.contextmanager
    def connect(self, role: Role, *, select: bool = True) -> Iterator[Connection]:
        """Connect as a role, autocommitting, with the vault's database selected. Raises AuthError, UnreachableError."""
        user, file = user_of(self.settings, role)
        password = read_password(file, user)
        timeout_s = self.settings.statement_timeout_s
        with connected(self.socket, user=user, password=password, timeout_s=timeout_s) as connection:
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
                if select:
                    cursor.execute(f"USE `{self.database}`")
            yield connection
