"""What every command may have to write or say: this machine's ledger, and who hears what. Light to import."""

from opsctl.core.ledger import SqliteLedger
from opsctl.core.notify.notifier import Notifier
from opsctl.settings import Settings

LEDGER_FILE = "ledger.sqlite"


def ledger(settings: Settings) -> SqliteLedger:
    """This machine's ledger."""
    return SqliteLedger(settings.machine.state_dir / LEDGER_FILE)


def notifier(settings: Settings) -> Notifier:
    """Who hears what."""
    return Notifier(settings.stack.name, settings.machine, settings.notify, settings.channels, ledger(settings))
