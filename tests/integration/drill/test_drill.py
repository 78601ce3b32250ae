"""A drill of a healthy repository: 8 of 8 with the host gone, signed, recorded, and nothing left behind."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from opsctl.core.errors import AuthError, ExitCode, IntegrityError, OpsError
from opsctl.core.result import Outcome, Result
from opsctl.core.store import get
from restore_drill.drill import run_drill
from restore_drill.report import DRILLS, DrillBody
from restore_drill.restored import CouldNotRunError, Restored
from restore_drill.trust import HeadMemory
from tests.support.drilled import DRILL_SIGNER, Customer

CHECKS = ["decrypt", "manifest", "coherence", "keys", "wp_config", "uploads", "vhosts", "replay"]


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_eight_of_eight_without_the_host(customer: Customer) -> None:
    host = customer.drill_host
    dead = host.drill.scratch_dir / "opsctl-1-dead"
    (dead / "data").mkdir(parents=True)
    dead.with_name("opsctl-1-dead.lock").touch()
    report = run_drill(host)
    assert [(result.id, result.outcome) for result in report.body.results] == [
        (name, Outcome.PASSED) for name in CHECKS
    ], [result.found for result in report.body.results if not result.passed]
    assert all(result.duration_s >= 0 and result.hint is None for result in report.body.results)
    assert (report.outcome, report.body.exit_code, report.body.passed) == (Outcome.PASSED, ExitCode.DONE, 8)
    assert not list(host.drill.scratch_dir.iterdir())
    _assert_measured(report.body)
    assert DRILLS.all(host.catalog) == [report]
    assert DRILLS.one(host.catalog, report.body.id).body.signer == DRILL_SIGNER
    [entry] = host.ledger.query("drill", "demo")
    assert entry.record_of(DrillBody) == report
    assert HeadMemory(host.machine.state_dir, host.stack, host.repository).recall() == host.catalog.newest_head()


def _assert_measured(body: DrillBody) -> None:
    assert [phase.name for phase in body.phases] == ["open", "prepare", "start", "replay"]
    assert body.recovery_time_s == pytest.approx(sum(phase.duration_s for phase in body.phases), abs=0.01)
    assert body.recovery_point is not None
    assert body.recovery_point.database_s is not None
    assert body.recovery_point.newest_heartbeat == body.replayed_to
    assert body.results[-1].figures["recovery_point_s"] == body.recovery_point.database_s


def test_eight_of_eight_in_a_time_zone_far_from_utc(customer: Customer, far_from_utc: None) -> None:
    report = run_drill(customer.drill_host)
    assert report.body.passed == 8, [result.found for result in report.body.results if not result.passed]


class Extra:
    """A check of another domain."""

    id = "extra"
    title = "extra"

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.seen: Restored | None = None

    def run(self, restored: Restored) -> Result:
        self.seen = restored
        if self.error is not None:
            raise self.error
        return Result(id=self.id, title=self.title, outcome=Outcome.FAILED, expected="a", found="b")


def test_an_extra_check_never_blurs_the_eight(customer: Customer) -> None:
    report = run_drill(customer.drill_host, extra_checks=(Extra(), Extra(CouldNotRunError("no log"))))
    assert report.body.passed == 8
    assert [result.outcome for result in report.body.extra] == [Outcome.FAILED, Outcome.COULD_NOT_RUN]
    assert (report.outcome, report.body.exit_code) == (Outcome.FAILED, ExitCode.FINDINGS)
    assert report.fresh_until is None


def test_an_interrupted_drill_leaves_no_server_and_no_files(customer: Customer) -> None:
    extra = Extra(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_drill(customer.drill_host, extra_checks=(extra,))
    assert not list(customer.drill_host.drill.scratch_dir.iterdir())
    assert extra.seen is not None
    assert extra.seen.server is not None
    with pytest.raises(OpsError):
        extra.seen.server.need().query("SELECT 1")
    assert not list(customer.drill_host.ledger.query("drill"))


def test_a_drill_result_that_was_edited_is_not_believed(customer: Customer) -> None:
    host = customer.drill_host
    report = run_drill(replace(host, drill=host.drill.model_copy(update={"identity_files": ()})))
    assert report.body.exit_code is ExitCode.PARTIAL
    [key] = [item.key for item in host.store.list("demo/drills/") if item.key.endswith(".json")]
    file = customer.repository / key
    text = get(host.store, key)
    file.chmod(0o600)
    file.write_bytes(text.replace(b'"could_not_run"', b'"passed"'))
    with pytest.raises(IntegrityError):
        DRILLS.one(host.catalog, report.body.id)
    with pytest.raises(IntegrityError):
        DRILLS.all(host.catalog)


def test_without_the_identities_nothing_passes_that_needs_them(customer: Customer) -> None:
    host = customer.drill_host
    swapped = host.drill.model_copy(update={"identity_files": host.drill.keys_identity_files})
    report = run_drill(replace(host, drill=swapped))
    outcomes = {result.id: result.outcome for result in report.body.results}
    assert outcomes.pop("decrypt") is Outcome.FAILED
    assert outcomes.pop("manifest") is Outcome.PASSED
    assert set(outcomes.values()) == {Outcome.COULD_NOT_RUN}
    assert report.body.recovery_time_s is None


def test_no_check_begins_without_a_backup_or_a_list_of_signers(customer: Customer) -> None:
    host = customer.drill_host
    with pytest.raises(OpsError, match="there is no backup 20200101T000000Z-full-00000000"):
        run_drill(host, backup_id="20200101T000000Z-full-00000000")
    with pytest.raises(OpsError, match="there is no backup of other"):
        run_drill(replace(host, stack="other"))
    trust = host.trust.model_copy(update={"allowed_signers": host.drill.scratch_dir / "none"})
    with pytest.raises(AuthError):
        run_drill(replace(host, trust=trust))
