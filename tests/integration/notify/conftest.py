"""A notifier with a ledger, its channels as files, and a clock that the test sets."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection
from opsctl.core.notify.notifier import Notifier
from opsctl.core.notify.settings import ChannelSection, NotifySection
from opsctl.core.rule import Severity


@dataclass
class Desk:
    """Where a test sits: it names channels, and sets the time."""

    directory: Path
    now: datetime = datetime(2026, 5, 1, 12, tzinfo=UTC)
    channels: list[ChannelSection] = field(default_factory=list)

    @property
    def ledger(self) -> SqliteLedger:
        return SqliteLedger(self.directory / "state" / "ledger.sqlite")

    @property
    def machine(self) -> MachineSection:
        return MachineSection(state_dir=self.directory / "state", lock_dir=self.directory / "run")

    def secret(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def channel(self, name: str, url: str, *severities: Severity) -> None:
        section = ChannelSection(name=name, url_file=self.secret(f"{name}.url", url))
        self.channels.append(section.model_copy(update={"severities": severities or tuple(Severity)}))

    def notifier(self, **settings: object) -> Notifier:
        section = NotifySection.model_validate({"timeout_s": 10, **settings})
        return Notifier("acme", self.machine, section, self.channels, self.ledger, clock=lambda: self.now)

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
