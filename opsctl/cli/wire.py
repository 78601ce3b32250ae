"""Builds what the domains work with from the settings."""

from opsctl.core.ledger import SqliteLedger
from opsctl.core.signing import Verifier
from opsctl.core.store import Store
from opsctl.core.store.directory import DirectoryStore
from opsctl.settings import Settings

LEDGER_FILE = "ledger.sqlite"


def ledger(settings: Settings) -> SqliteLedger:
    """This machine's ledger."""
    return SqliteLedger(settings.machine.state_dir / LEDGER_FILE)


def store(settings: Settings, repository: str | None = None) -> Store:
    """The store of a repository, by default the first. Raises SettingsError."""
    return DirectoryStore(settings.require_repository(repository).path)


def verifier(settings: Settings) -> Verifier:
    """Believes this machine's allowed signers."""
    return Verifier(settings.trust.allowed_signers)
