"""The doctor looks at the addresses of channels and pings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.core.notify.settings import ChannelSection, NotifySection
from opsctl.core.probe import Probe
from opsctl.core.result import Outcome
from opsctl.core.runner import LocalRunner
from opsctl.overview.probes.notify import address_probes
from tests.contracts.probe import ProbeContract


def address(directory: Path, name: str) -> Path:
    path = directory / name
    path.write_text("json://127.0.0.1/secret-path\n")
    path.chmod(0o600)
    return path


def probes(directory: Path) -> list[Probe]:
    channel = ChannelSection(name="on-call", url_file=address(directory, "hook.url"))
    return list(address_probes(NotifySection(ping_url_file=address(directory, "ping.url")), (channel,)))


def test_addresses_that_only_their_owner_reads_are_well(tmp_path: Path) -> None:
    found = [probe.run(LocalRunner()) for probe in probes(tmp_path)]
    assert [(result.id, result.outcome) for result in found] == [
        ("notify.on_call", Outcome.PASSED),
        ("notify.ping", Outcome.PASSED),
    ]


@pytest.mark.parametrize("break_it", [lambda path: path.chmod(0o644), Path.unlink, lambda path: path.write_text("")])
def test_one_that_others_may_read_or_that_is_not_there_is_a_failure_without_its_words(
    tmp_path: Path, break_it: Callable[[Path], object]
) -> None:
    probe = probes(tmp_path)[0]
    break_it(tmp_path / "hook.url")
    result = probe.run(LocalRunner())
    assert result.outcome is Outcome.FAILED
    assert "secret-path" not in result.model_dump_json()


class TestContract(ProbeContract):
    @pytest.fixture
    def probe(self, tmp_path: Path) -> Probe:
        return probes(tmp_path)[0]
