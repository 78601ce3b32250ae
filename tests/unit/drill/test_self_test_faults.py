"""Which faults the self-test makes: none that was promised gets lost, and every kind of archive is damaged."""

from typing import get_args

import pytest

from backup.manifest import Kind
from opsctl.core.result import Outcome, Result
from restore_drill.report import DrillBody
from restore_drill.self_test.faults import FAULTS, chosen
from restore_drill.self_test.report import Verdict
from restore_drill.self_test.trial import judged

AT_REST = {
    *("flip-database", "flip-files", "flip-list", "flip-keys", "flip-state", "flip-segment"),
    *("truncated", "older", "other-recipient", "missing", "extra"),
    *("manifest-edited", "stranger", "expired", "unknown-version", "no-parent"),
    *("rolled-back", "end-removed", "middle-removed", "record-edited"),
}
CONTENT = {
    *("ibd-missing", "pages-zeroed", "killed", "no-binlog-info", "other-lsns"),
    *("other-keys", "key-missing", "other-ci-key"),
    *("wp-syntax", "wp-password", "wp-prefix", "wp-decoy"),
    *("upload-missing", "upload-different", "attachment-missing"),
    *("vhost-missing", "vhost-broken", "certificate-missing"),
    *("segment-cut", "segment-flip", "other-domain", "no-heartbeat", "own-server-id"),
}
HOSTILE = {"hostile-options", "hostile-config"}
# Of what was deleted since the backup before: a list of names in an archive, made by increments only.
_NOT_IN_A_FULL_BACKUP = {"deleted"}


def of(family: str) -> set[str]:
    return {fault.id for fault in FAULTS if fault.family == family}


def test_every_fault_that_was_promised_is_made() -> None:
    assert of("at rest") >= AT_REST
    assert of("content") >= CONTENT
    assert of("hostile") >= HOSTILE


def test_a_bit_flips_in_every_kind_of_archive() -> None:
    assert {f"flip-{kind}" for kind in set(get_args(Kind)) - _NOT_IN_A_FULL_BACKUP} <= of("at rest")


def test_no_two_faults_have_one_name() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)


def body_of(expected: str, outcome: Outcome, found: str) -> DrillBody:
    """A drill of which only the expected check is said."""
    result = Result(id=expected, title=expected, outcome=outcome, expected="x", found=found)
    nothing = dict.fromkeys(("backup_finished", "recovery_time_s", "recovery_point", "replayed_to"))
    names = dict.fromkeys(("id", "repository", "backup_id", "opsctl_version", "signer"), "x")
    lists = {"results": (result,), "extra": (), "phases": (), "notes": ()}
    return DrillBody.model_validate({**nothing, **names, **lists, "recovery_time_objective_s": 60})


@pytest.mark.parametrize(
    ("outcome", "found", "verdict"),
    [
        (Outcome.FAILED, "a bit flipped", Verdict.CAUGHT),
        (Outcome.PASSED, "all well", Verdict.MISSED),
        (Outcome.COULD_NOT_RUN, "an archive could not be opened", Verdict.MISSED),
        (Outcome.COULD_NOT_RUN, "the disk is full: No space left on device", Verdict.COULD_NOT_RUN),
    ],
)
def test_a_fault_is_missed_only_by_a_check_that_could_look(outcome: Outcome, found: str, verdict: Verdict) -> None:
    """A check that did not look for want of room has missed nothing; for any other reason it has."""
    [fault] = chosen(["flip-database"])
    result = judged(fault, body_of(fault.expected, outcome, found), 1.0)
    assert result.verdict is verdict
    assert verdict is not Verdict.COULD_NOT_RUN or found in result.found
