"""What an attack plays on: a fresh vault with some history, signed once, and some rows after that."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from opsctl.core import chain
from opsctl.core.machine import TrustSection
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.progress import Silent
from opsctl.core.signing import Verifier, allowed_signers_line, create_key
from opsctl.core.store.directory import DirectoryStore
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.migrate import initialise, reapply
from vault.settings import VaultSection
from vault.verify.checkpoints import Custody
from vault.verify.run import Scope, checkpoint, reader

SIGNED, UNSIGNED = 10, 5
ALL = SIGNED + UNSIGNED
_STACK = "attack"
_PASSWORD = "scratch"  # noqa: S105 - of accounts that live for seconds on a server without a network


@dataclass(frozen=True)
class Scene:
    """A vault to attack, and where its checkpoints are."""

    vault: Vault
    custody: Custody
    trust: TrustSection

    @contextlib.contextmanager
    def application(self) -> Iterator[Connection]:
        """What somebody has who took over the application."""
        with self.vault.connect(Role.APP) as connection:
            yield connection

    @contextlib.contextmanager
    def root(self) -> Iterator[Connection]:
        """What somebody has who took over the database server."""
        with self.vault.connect(Role.ADMIN) as connection:
            yield connection

    def log(self) -> tuple[bytes, list[chain.Row]]:
        """The log's id and all its rows."""
        with self.root() as connection:
            log_id = audit.log_id(connection) or b""
            return log_id, list(audit.read(connection, first=1, last=10 * ALL))

    def sign(self) -> None:
        """Make a checkpoint."""
        checkpoint(reader(self.vault), self.custody, Scope(), self.trust, Silent())

    def blind(self) -> Custody:
        """The same, for somebody who keeps no checkpoints."""
        return replace(self.custody, stores=())


def write(connection: Connection, *payloads: str) -> None:
    """Insert rows as the application does."""
    for payload in payloads:
        rows(connection, "INSERT INTO audit (payload) VALUES (_binary %s)", payload.encode())


def without_triggers(connection: Connection) -> None:
    """Take the triggers away, as root can."""
    for trigger in ("audit_insert", "audit_update", "audit_delete", "audit_head_update", "audit_head_delete"):
        rows(connection, f"DROP TRIGGER IF EXISTS {trigger}")


def with_triggers(connection: Connection) -> None:
    """Put them back as they were, so that nobody sees that they were gone."""
    reapply(connection, versions=(2,))


def make_scene(socket: Path, directory: Path) -> Scene:
    """A vault of its own in `directory`, with rows, a checkpoint, and more rows."""
    directory.mkdir()
    password = directory / "password"
    password.write_text(_PASSWORD)
    files = {f"{role}_password_file": password for role in ("app", "importer", "reader", "eraser")}
    settings = VaultSection.model_validate({"database": "vault_attack", "media_dir": directory / "media", **files})
    vault = Vault(socket, settings)
    with vault.connect(Role.ADMIN, select=False) as connection:
        rows(connection, "DROP DATABASE IF EXISTS vault_attack")
    initialise(vault)
    key, allowed = directory / "key", directory / "allowed_signers"
    create_key(key, "attacked@scratch")
    allowed.write_text(allowed_signers_line("attacked@scratch", key.with_suffix(".pub")))
    trust = TrustSection(signer="attacked@scratch", signing_key=key, allowed_signers=allowed)
    scene = Scene(vault, Custody(_STACK, (DirectoryStore(directory / "off-box"),), Verifier(allowed)), trust)
    with scene.application() as connection:
        write(connection, *(f"event {number}" for number in range(SIGNED)))
        scene.sign()
        write(connection, *(f"later event {number}" for number in range(UNSIGNED)))
    return scene
