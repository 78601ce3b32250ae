"""What a self-test does when a check is blind, the backup is bad, the repository changes, or it is interrupted."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode, OpsError, SettingsError
from opsctl.core.progress import Silent
from opsctl.core.result import Outcome, Result
from opsctl.core.signing import Namespace, SignatureError, Signer, Verifier
from restore_drill.checks.decrypt import Decrypt
from restore_drill.drill import run_drill
from restore_drill.restored import Restored
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import Fault, InapplicableError
from restore_drill.self_test.faults import FAULTS
from restore_drill.self_test.model import scratch_host
from restore_drill.self_test.report import KIND, FaultResult, SelfTestReport, Verdict
from restore_drill.self_test.run import self_test
from tests.support.drilled import Customer


class Interfering(Silent):
    """Does something when a step begins."""

    def __init__(self, title: str, act: Callable[[], object]) -> None:
        self.title = title
        self.act = act

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        if title.startswith(self.title):
            self.act()


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def try_one(customer: Customer, fault_id: str) -> tuple[SelfTestReport, FaultResult]:
    report = self_test(customer.drill_host, only=[fault_id], workers=1)
    [result] = report.body.faults
    return report, result


def test_far_from_utc_a_clean_backup_raises_nothing_and_a_fault_is_caught(
    customer: Customer, far_from_utc: None
) -> None:
    report, result = try_one(customer, "segment-cut")
    assert [each.found for each in report.body.clean if not each.passed] == []
    assert (result.verdict, result.caught_by) == (Verdict.CAUGHT, ("replay",))


def test_a_check_that_sees_nothing_fails_the_self_test(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(self: Decrypt, restored: Restored) -> Result:
        return Result(id=self.id, title=self.title, outcome=Outcome.PASSED, expected="", found="")

    monkeypatch.setattr(Decrypt, "run", blind)
    report, result = try_one(customer, "flip-state")
    assert (result.verdict, result.caught_by) == (Verdict.MISSED, ())
    assert (report.outcome, report.body.exit_code) == (Outcome.FAILED, ExitCode.FINDINGS)
    assert report.fresh_until is None


def test_a_fault_that_another_check_catches_fails_the_self_test(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = [replace(fault, expected="keys") if fault.id == "stranger" else fault for fault in FAULTS]
    monkeypatch.setattr("restore_drill.self_test.faults.FAULTS", tuple(elsewhere))
    report, result = try_one(customer, "stranger")
    assert (result.verdict, result.caught_by) == (Verdict.ELSEWHERE, ("manifest",))
    assert report.body.exit_code is ExitCode.FINDINGS


@pytest.mark.parametrize(
    ("error", "verdict", "code"),
    [
        (InapplicableError("no such site"), Verdict.INAPPLICABLE, ExitCode.DONE),
        (OpsError("no such form"), Verdict.COULD_NOT_RUN, ExitCode.PARTIAL),
    ],
)
def test_a_fault_that_cannot_be_made_is_never_called_caught(
    customer: Customer, monkeypatch: pytest.MonkeyPatch, error: OpsError, verdict: Verdict, code: ExitCode
) -> None:
    def make(bench: Bench) -> None:
        raise error

    monkeypatch.setattr(
        "restore_drill.self_test.faults.FAULTS", (Fault("unmade", "content", "nothing is done", "keys", make),)
    )
    report, result = try_one(customer, "unmade")
    assert (result.verdict, result.found, report.body.exit_code) == (verdict, error.message, code)


def test_on_a_backup_that_fails_the_drill_no_fault_is_tried(customer: Customer) -> None:
    keys = next(customer.repository.glob("demo/backups/*/keys.*"))
    keys.chmod(0o600)
    keys.write_bytes(keys.read_bytes()[:-1])
    body = self_test(customer.drill_host, only=["stranger"]).body
    assert (body.clean_passed, body.faults, body.exit_code) == (False, (), ExitCode.FINDINGS)


def test_a_repository_that_changes_meanwhile_fails_the_self_test(customer: Customer) -> None:
    record = next(customer.repository.glob("demo/binlog/heads/*.json"))

    def damage() -> None:
        newest = max(record.parent.glob("*.json"))
        newest.chmod(0o600)
        newest.write_bytes(newest.read_bytes() + b" ")

    host = replace(customer.drill_host, progress=Interfering("verifying that the repository", damage))
    report = self_test(host, only=["stranger"], workers=1)
    assert (report.body.unchanged, report.outcome) == (False, Outcome.FAILED)


def test_an_interrupted_self_test_leaves_no_process_and_no_file(customer: Customer) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    host = replace(customer.drill_host, progress=Interfering("1 of 3", interrupt))
    with pytest.raises(KeyboardInterrupt):
        self_test(host, only=["stranger", "flip-state", "upload-missing"], workers=2)
    assert multiprocessing.active_children() == []
    assert not list(host.drill.scratch_dir.iterdir())
    assert not list(host.ledger.query())


def test_a_fault_that_is_not_known_names_the_nearest(customer: Customer) -> None:
    with pytest.raises(SettingsError) as caught:
        self_test(customer.drill_host, only=["stanger"])
    assert "did you mean stranger?" in str(caught.value.hint)


def test_the_machine_s_memory_and_ledger_are_those_of_its_own_drills(customer: Customer) -> None:
    self_test(customer.drill_host, only=["rolled-back"], workers=1)
    assert [entry.record().kind for entry in customer.drill_host.ledger.query()] == [KIND]
    assert run_drill(customer.drill_host).body.passed == 8


def test_the_expired_key_is_one_that_was_believed_in_its_time(customer: Customer, tmp_path: Path) -> None:
    host = scratch_host(customer.drill_host, tmp_path / "scratch")
    signature = Signer(tmp_path / "scratch" / "keys" / "expired").sign(b"data", Namespace.MANIFEST)
    verifier = Verifier(host.trust.allowed_signers)
    then = datetime(1999, 12, 1, tzinfo=UTC)
    assert verifier.verify(b"data", signature, Namespace.MANIFEST, what="it", at=then) == "expired"
    with pytest.raises(SignatureError):
        verifier.verify(b"data", signature, Namespace.MANIFEST, what="it")
