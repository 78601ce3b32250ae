"""What every Probe must do. A test module subclasses ProbeContract and gives a `probe` fixture."""

import re

from opsctl.core.errors import OpsError
from opsctl.core.probe import Probe
from opsctl.core.process import Command, Completed
from opsctl.core.result import Outcome
from opsctl.core.runner import LocalRunner


class BareHost:
    """A Runner for a host on which no program is installed."""

    @property
    def where(self) -> str:
        return "a bare host"

    def run(self, command: Command, *, timeout_s: float, stdin: bytes | None = None) -> Completed:
        raise OpsError(f"{command.program} is not installed")


class ProbeContract:
    """Subclass, and provide the fixture `probe`."""

    def test_it_has_a_stable_name(self, probe: Probe) -> None:
        assert re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", probe.id)

    def test_its_result_carries_its_name_and_sentences(self, probe: Probe) -> None:
        result = probe.run(LocalRunner())
        assert result.id == probe.id
        assert result.title
        assert result.expected
        assert result.found

    def test_what_did_not_pass_says_what_to_do(self, probe: Probe) -> None:
        for result in (probe.run(LocalRunner()), probe.run(BareHost())):
            assert result.outcome is Outcome.PASSED or result.hint

    def test_it_raises_nothing_where_no_program_is(self, probe: Probe) -> None:
        assert probe.run(BareHost()).id == probe.id
