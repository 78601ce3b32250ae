"""The self-test on a real customer: every fault is made once, and each is caught by the check that has to see it."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from opsctl.core.result import Outcome
from opsctl.overview.demo.stack import DemoStack
from restore_drill.self_test.fault import SANDBOX
from restore_drill.self_test.faults import FAULTS
from restore_drill.self_test.report import KIND, SelfTestBody, SelfTestReport, Verdict
from restore_drill.self_test.run import self_test
from tests.support.drilled import Customer, make_customer

# The first test waits for all faults.
pytestmark = pytest.mark.timeout(1200)

CHECKS = ["decrypt", "manifest", "coherence", "keys", "wp_config", "uploads", "vhosts", "replay"]


@pytest.fixture(scope="module")
def owner(stopped_demo: DemoStack) -> Iterator[Customer]:
    """A customer with a full and an incremental backup, shipments after each, and work on files between them; the host
    is gone."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        stack = stopped_demo.copy_to(directory / "c")
        stack.start()
        try:
            customer = make_customer(stack, directory / "o")
            uploads = next(site.uploads for site in customer.host.sites if site.uploads)
            place = stack.root / str(uploads).lstrip("/")
            for text in ("changed.txt", "deleted.txt"):
                (place / text).write_text(text)
            for shipments in (1, 3):
                customer.backup()
                (place / "changed.txt").write_text("longer than it was")
                (place / "deleted.txt").unlink(missing_ok=True)
                for _ in range(shipments):
                    stack.write_more(2)
                    customer.ship()
            customer.vanish()
        finally:
            stack.kill()
        yield customer


@pytest.fixture(scope="module")
def before(owner: Customer) -> dict[str, tuple[str, int]]:
    """What the repository was before any self-test."""
    return state_of(owner.repository)


@pytest.fixture(scope="module")
def report(owner: Customer, before: dict[str, tuple[str, int]]) -> SelfTestReport:
    """The whole self-test, run once."""
    assert before
    return self_test(owner.drill_host)


def state_of(repository: Path) -> dict[str, tuple[str, int]]:
    """Every object's SHA-256 and mode."""
    files = (path for path in repository.rglob("*") if path.is_file())
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode) for path in files}


@pytest.mark.parametrize("fault_id", [fault.id for fault in FAULTS])
def test_a_fault_is_caught_by_the_check_that_has_to_see_it_and_no_other(report: SelfTestReport, fault_id: str) -> None:
    [result] = [each for each in report.body.faults if each.id == fault_id]
    assert result.verdict is Verdict.CAUGHT, result
    assert result.caught_by == (result.expected,)
    others = {*result.passed, *result.could_not_run} - {SANDBOX}
    assert others | {result.expected} - {SANDBOX} == set(CHECKS)
    assert result.duration_s > 0


def test_a_clean_backup_raises_nothing(report: SelfTestReport) -> None:
    assert [(result.id, result.outcome) for result in report.body.clean] == [(id_, Outcome.PASSED) for id_ in CHECKS]


def test_the_whole_of_it_is_recorded_and_fresh(owner: Customer, report: SelfTestReport) -> None:
    body = report.body
    assert (report.outcome, body.exit_code, body.complete) == (Outcome.PASSED, ExitCode.DONE, True)
    assert [fault.id for fault in body.faults] == [fault.id for fault in FAULTS]
    assert body.backup_id == owner.drill_host.catalog.backup_ids()[-1]
    assert report.fresh_until is not None
    [entry, *_] = owner.drill_host.ledger.query(KIND, "demo")
    assert entry.record_of(SelfTestBody) == report
    assert not list(owner.drill_host.ledger.query("drill"))


def test_the_repository_is_the_same_byte_for_byte(
    owner: Customer, before: dict[str, tuple[str, int]], report: SelfTestReport
) -> None:
    assert report.body.unchanged
    assert report.body.objects > 30
    assert report.body.bytes > 10_000_000
    assert state_of(owner.repository) == before


def test_nothing_is_left_behind(owner: Customer, report: SelfTestReport) -> None:
    assert report.body.faults
    assert not list(owner.drill_host.drill.scratch_dir.iterdir())
    assert not (owner.drill_host.machine.state_dir / "heads").exists()


def test_what_hostile_things_tried_is_shown(report: SelfTestReport) -> None:
    hostile = {result.id: result for result in report.body.faults if result.family == "hostile"}
    assert set(hostile) == {"hostile-options", "hostile-config"}
    assert all(set(result.passed) == {*CHECKS, SANDBOX} for result in hostile.values())
    assert "server_audit is not among them" in hostile["hostile-options"].found
    said = hostile["hostile-config"].found
    assert said.count("No such file or directory") == 3
    assert "Connection refused" in said
    assert "nobody called" in said


def test_without_a_backup_before_it_an_older_archive_is_made(customer: Customer) -> None:
    assert len(customer.drill_host.catalog.backup_ids()) == 1
    [result] = self_test(customer.drill_host, only=["older"], workers=1).body.faults
    assert (result.verdict, result.caught_by) == (Verdict.CAUGHT, ("manifest",))
