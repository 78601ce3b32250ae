"""Which faults the self-test makes: none that was promised gets lost, and every kind of archive is damaged."""

from typing import get_args

from backup.manifest import Kind
from restore_drill.self_test.faults import FAULTS

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
