"""What people hear of the jobs of a machine: one that failed, and one that never started."""

from collections.abc import Iterator

import pytest

from opsctl.core.result import Outcome
from opsctl.overview import schedule_wire
from tests.golden.customer import STACK
from tests.integration.schedule.conftest import Recorded
from tests.support.receivers import Receiver, receiver


@pytest.fixture
def hook(machine: Recorded) -> Iterator[Receiver]:
    """Whoever hears of this machine."""
    with receiver() as found:
        path = machine.directory / "hook.url"
        path.write_text(found.url("json"))
        path.chmod(0o600)
        machine.add(f'[[channels]]\nname = "hook"\nurl_file = "{path}"\n')
        yield found


def run(machine: Recorded, name: str) -> Outcome:
    return schedule_wire.jobs(machine.loaded).run(machine.plan()[name]).outcome


def titles(hook: Receiver) -> list[str]:
    return [str(request.json()["title"]).partition(": ")[2] for request in hook.requests]


def test_a_job_that_fails_is_heard_with_its_last_words(machine: Recorded, hook: Receiver) -> None:
    repository = machine.directory / "repository"
    repository.rename(machine.directory / "elsewhere")
    repository.write_text("no directory")
    assert run(machine, "ledger-verify") is Outcome.FAILED
    assert titles(hook) == ["the job ledger-verify failed"]
    assert "Error:" in str(hook.requests[0].json()["message"])
    repository.unlink()
    (machine.directory / "elsewhere").rename(repository)
    assert run(machine, "ledger-verify") is Outcome.PASSED
    assert titles(hook)[1:] == [f"{STACK}: the job ledger-verify failed"]


def test_a_job_that_never_started_is_heard_by_the_next_one_that_runs(machine: Recorded, hook: Receiver) -> None:
    (machine.directory / "state/schedule.json").write_text('{"ledger-verify": "2020-01-01T00:00:00Z"}')
    run(machine, "health")
    assert "the job ledger-verify has not run" in titles(hook)
    before = len(hook.requests)
    run(machine, "health")
    assert len(hook.requests) == before
    run(machine, "ledger-verify")
    assert titles(hook)[before:] == [f"{STACK}: the job ledger-verify has not run"]
