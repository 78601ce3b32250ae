"""Check 8 tells where a replay ended from where it should have, and judges nothing twice."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from backup.segment import Segment
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.result import Outcome, Result
from restore_drill.checks.coherence import Coherence
from restore_drill.checks.replay import ReplayConfirmation
from restore_drill.checks.wp_config import WpConfig
from restore_drill.logs import GapError
from restore_drill.replay import Replayed
from restore_drill.restored import Attempt, CouldNotRunError
from tests.support.drilled import Customer
from tests.support.restored import Fixture

CONFIG = "/etc/wordpress/config-blog.example.php"


@dataclass
class After:
    """A restore after a replay that went well."""

    demo: Fixture
    last: Segment
    good: Replayed

    def judge(self, **changes: object) -> Result:
        """The check's result when the replay had come to something else."""
        self.demo.restored.replayed = Attempt(replace(self.good, **changes), None, 0.0)  # type: ignore[arg-type]
        return ReplayConfirmation().run(self.demo.restored)


@pytest.fixture
def after(demo: Fixture, vanished: Customer) -> Iterator[After]:
    catalog = vanished.drill_host.catalog
    last = catalog.segments(catalog.lineages()[-1])[-1]
    good = Replayed(
        stop_description="the end", gtid_state=last.last_state, gtid_position=last.last_state, transactions=3,
        segments=2, last_transaction_time=None, heartbeat=last.heartbeat, duration_s=0.0, warnings=(),
    )  # fmt: skip
    before = demo.restored.catalog
    demo.restored.catalog = catalog
    demo.restored.results = {check.id: outcome(check.id, Outcome.PASSED) for check in (Coherence, WpConfig)}
    yield After(demo, last, good)
    demo.restored.catalog, demo.restored.replayed, demo.restored.results = before, None, {}


def outcome(check: str, how: Outcome, **figures: object) -> Result:
    return Result.model_validate(
        {"id": check, "title": check, "outcome": how, "expected": "", "found": "", "figures": figures}
    )


def test_the_end_of_what_was_shipped_is_reached(after: After) -> None:
    result = after.judge()
    assert result.outcome is Outcome.PASSED, result.found
    assert result.figures["logins"] == 1


def test_a_replay_that_ends_early_fails(after: After) -> None:
    short = after.judge(gtid_state=after.last.first_state, warnings=("a later lineage cannot be applied",))
    assert short.outcome is Outcome.FAILED
    assert "a later lineage cannot be applied" in short.found


def test_a_heartbeat_that_is_older_or_gone_fails(after: After) -> None:
    assert after.last.heartbeat is not None
    older = after.judge(heartbeat=after.last.heartbeat - timedelta(microseconds=1))
    gone = after.judge(heartbeat=None)
    newer = after.judge(heartbeat=after.last.heartbeat + timedelta(seconds=1))
    assert (older.outcome, gone.outcome, newer.outcome) == (Outcome.FAILED, Outcome.FAILED, Outcome.PASSED)
    assert gone.found == "there is no heartbeat in the restored database"


def test_without_anything_shipped_there_is_nothing_to_confirm(after: After) -> None:
    with pytest.raises(CouldNotRunError, match="nothing was shipped since the backup"):
        after.judge(segments=0)
    after.demo.restored.replayed = Attempt(None, CouldNotRunError("no server"), 0.0)
    with pytest.raises(CouldNotRunError):
        ReplayConfirmation().run(after.demo.restored)


@pytest.mark.parametrize(
    ("error", "coherent", "expected"),
    [
        (GapError("a gap"), Outcome.PASSED, Outcome.FAILED),
        (IntegrityError("No space left on device"), Outcome.PASSED, Outcome.COULD_NOT_RUN),
        (OpsError("a server without a binary log"), Outcome.PASSED, Outcome.COULD_NOT_RUN),
        (IntegrityError("error 1030"), Outcome.FAILED, Outcome.COULD_NOT_RUN),
    ],
)
def test_a_replay_that_failed_is_judged_by_its_reason(
    after: After, error: OpsError, coherent: Outcome, expected: Outcome
) -> None:
    after.demo.restored.replayed = Attempt(None, error, 0.0)
    after.demo.restored.results[Coherence.id] = outcome(Coherence.id, coherent)
    assert ReplayConfirmation().run(after.demo.restored).outcome is expected


def test_a_table_counts_against_the_replay_only_if_it_was_whole_before(after: After) -> None:
    server = after.demo.server
    server.query("CREATE VIEW crm.broken AS SELECT 1")
    server.query("CREATE TABLE crm.merged (a INT) ENGINE=MyISAM")
    after.demo.restored.paths.data.joinpath("crm", "merged.MYD").unlink()
    server.query("FLUSH TABLES")
    try:
        first = after.judge()
        after.demo.restored.results[Coherence.id] = outcome(Coherence.id, Outcome.FAILED, bad_tables=["crm.merged"])
        second = after.judge()
    finally:
        server.query("DROP TABLE IF EXISTS crm.merged")
        server.query("DROP VIEW crm.broken")
    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.PASSED)
    assert first.found.startswith("crm.merged: ")


def test_a_login_counts_against_the_replay_only_if_it_worked_before(after: After) -> None:
    with after.demo.changed(CONFIG, lambda text: text.replace("'DB_USER', 'wordpress'", "'DB_USER', 'nobody'")):
        first = after.judge()
        after.demo.restored.results[WpConfig.id] = outcome(WpConfig.id, Outcome.FAILED)
        second = after.judge()
    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.PASSED)
    assert "logins" not in second.figures
