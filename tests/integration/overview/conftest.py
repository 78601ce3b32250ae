"""A machine with a recorded repository and its ledger, without a database: to be broken."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.result import Outcome, Result
from opsctl.core.runner import LocalRunner
from opsctl.overview.doctor import probes
from opsctl.settings import Settings, load_settings
from tests.golden import customer
from tests.integration.bad_input.refusals import can_be_typed


class DrillHost:
    """A drill host below `directory`: `opsctl.toml`, `keys`, `repository`, `state`, `scratch`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for part in ("repository", "state"):
            shutil.copytree(customer.FORMATS[-1] / part, directory / part)
        self.config = customer.settings(
            directory, directory / "repository", sections={"stack": {"name": customer.STACK}}
        )
        self.replace('place = "all"', 'place = "drill_host"')

    @property
    def settings(self) -> Settings:
        return load_settings(self.config).settings

    def replace(self, text: str, by: str) -> None:
        """Change the settings."""
        before = self.config.read_text()
        assert text in before
        self.config.write_text(before.replace(text, by))

    def look(self, probe_id: str) -> Result:
        """Run one of the probes that `opsctl doctor` runs here."""
        (probe,) = [probe for probe in probes(load_settings(self.config)) if probe.id == probe_id]
        return probe.run(LocalRunner())

    def passes(self, probe_id: str) -> None:
        result = self.look(probe_id)
        assert result.passed, result

    def fails(self, probe_id: str, *said: str) -> None:
        """The probe fails, says these words, and has something to type next."""
        result = self.look(probe_id)
        assert result.outcome is Outcome.FAILED, result
        for words in said:
            assert words in f"{result.found} {result.hint}"
        can_be_typed(result.hint or "")


@pytest.fixture
def drill_host() -> Iterator[DrillHost]:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield DrillHost(Path(name))
