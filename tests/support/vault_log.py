"""A vault's audit log with somewhere to put its checkpoints, for tests."""

from dataclasses import dataclass
from pathlib import Path

from opsctl.core.machine import TrustSection
from opsctl.core.mariadb.connect import rows
from opsctl.core.progress import Silent
from opsctl.core.signing import Verifier, allowed_signers_line, create_key
from opsctl.core.store.directory import DirectoryStore
from tests.support.mariadb import Server
from vault.accounts import Role
from vault.context import Vault
from vault.verify.checkpoints import Custody, Published
from vault.verify.run import Scope, Verified, checkpoint, reader, verify

SIGNER = "host@acme"


@dataclass(frozen=True)
class AuditLog:
    """The log of a vault."""

    vault: Vault
    server: Server
    custody: Custody
    trust: TrustSection

    def write(self, *payloads: str) -> None:
        """Insert rows as the application does."""
        with self.vault.connect(Role.APP) as connection, connection.cursor() as cursor:
            for payload in payloads:
                cursor.execute("INSERT INTO audit (payload) VALUES (_binary %s)", (payload.encode(),))

    def fill(self, count: int) -> None:
        """Insert many rows in one statement, of different lengths."""
        with self.vault.connect(Role.ADMIN) as connection:
            row = "CONCAT('row ', seq, REPEAT('x', seq MOD 97))"
            rows(connection, f"INSERT INTO audit (payload) SELECT {row} FROM seq_1_to_{count}")

    def as_root(self, *statements: str) -> None:
        """Do what root can do to the vault's database."""
        self.server.sql(f"USE {self.vault.database}", *statements)

    def verify(self, *, full: bool = True, since: str | None = None, parallel: int = 1) -> Verified:
        """The verdict."""
        return verify(reader(self.vault), self.custody, Scope(full=full, since=since, parallel=parallel), Silent())

    def checkpoint(self) -> Published:
        """Sign where it stands."""
        return checkpoint(reader(self.vault), self.custody, Scope(), self.trust, Silent())[1]

    def broken(self, *, full: bool = True) -> str:
        """The verdict's first break, as a sentence with its row."""
        state = self.verify(full=full).state
        assert state.broken is not None, state
        return f"{state.broken.seq}: {state.broken.what}"


def make_log(vault: Vault, server: Server, directory: Path) -> AuditLog:
    """The log of a vault, with a key and a store in `directory`."""
    key, allowed = directory / "signing_key", directory / "allowed_signers"
    create_key(key, SIGNER)
    allowed.write_text(allowed_signers_line(SIGNER, key.with_suffix(".pub")))
    trust = TrustSection(signer=SIGNER, signing_key=key, allowed_signers=allowed)
    custody = Custody("acme", (DirectoryStore(directory / "off-box"),), Verifier(allowed))
    return AuditLog(vault, server, custody, trust)
