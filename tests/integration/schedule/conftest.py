"""A machine with a recorded repository and ledger, whose ledger can be verified, and without a database."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsctl.core.ledger import SqliteLedger
from opsctl.core.record import Record
from opsctl.core.settings import Loaded
from opsctl.overview import schedule_wire, wire
from opsctl.schedule.machine import Planned
from opsctl.schedule.records import KIND, JobBody
from opsctl.settings import Settings, load_settings
from tests.golden import customer


@dataclass(frozen=True)
class Recorded:
    """The machine, and its settings file."""

    directory: Path
    config: Path

    @property
    def loaded(self) -> Loaded[Settings]:
        return load_settings(self.config)

    @property
    def ledger(self) -> SqliteLedger:
        return wire.ledger(self.loaded.settings)

    @property
    def locks(self) -> Path:
        return self.directory / "locks"

    def runs(self) -> list[Record[JobBody]]:
        """The records of jobs, oldest first."""
        return [entry.record_of(JobBody) for entry in self.ledger.query(KIND)]

    def add(self, text: str) -> None:
        """Add to the settings."""
        self.config.write_text(f"{self.config.read_text()}\n{text}\n")

    def plan(self) -> dict[str, Planned]:
        return {each.job.name: each for each in schedule_wire.plan(self.loaded)}


@pytest.fixture
def machine() -> Iterator[Recorded]:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        for part in ("repository", "state"):
            shutil.copytree(customer.FORMATS[-1] / part, directory / part)
        sections = {"stack": {"name": customer.STACK}}
        yield Recorded(directory, customer.settings(directory, directory / "repository", sections=sections))
