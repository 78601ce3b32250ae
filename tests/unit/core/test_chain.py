"""The chain and the tree, held by vectors that were computed with other programs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.core import chain
from opsctl.core.chain import Break, Row
from opsctl.core.checkpoint import Checkpoint
from opsctl.core.merkle import Tree
from opsctl.core.verdict import LogState, Verdict, judge

VECTORS = Path(__file__).parents[2] / "vectors"
LOG = bytes(range(16))
AT = datetime(2026, 1, 2, tzinfo=UTC)


def vector_rows() -> list[Row]:
    rows = json.loads((VECTORS / "chain.json").read_text())["rows"]
    return [
        Row(r["seq"], *(bytes.fromhex(r[name]) for name in ("prev_hash", "payload", "row_hash")))
        for r in rows
    ]  # fmt: skip


def make_log(size: int) -> list[Row]:
    rows, prev = [], chain.ZERO
    for seq in range(1, size + 1):
        payload = f'{{"n":{seq}}}'.encode()
        digest = chain.row_hash(LOG, seq, prev, payload)
        rows.append(Row(seq, prev, payload, digest))
        prev = digest
    return rows


def recomputed(rows: list[Row]) -> Iterator[Row]:
    """The rows with every hash computed anew: what somebody who may write everything would store."""
    prev = chain.ZERO
    for row in rows:
        digest = chain.row_hash(LOG, row.seq, prev, row.payload)
        yield Row(row.seq, prev, row.payload, digest)
        prev = digest


def checkpoint(rows: list[Row]) -> Checkpoint:
    tree = Tree()
    for row in rows:
        tree.append(row.row_hash)
    return Checkpoint("opsctl/acme/ledger/x", len(rows), tree.root(), AT)


def test_row_hashes_are_those_of_the_vectors() -> None:
    rows = vector_rows()
    assert [chain.row_hash(LOG, row.seq, row.prev_hash, row.payload) for row in rows] == [r.row_hash for r in rows]
    assert list(chain.check(LOG, rows)) == [row.row_hash for row in rows]


def test_roots_are_those_of_certificate_transparencys_vectors() -> None:
    vectors = json.loads((VECTORS / "merkle.json").read_text())
    tree = Tree()
    assert tree.root().hex() == vectors["empty"]
    for leaf, root in zip(vectors["leaves"], vectors["roots"], strict=True):
        tree.append(bytes.fromhex(leaf))
        assert tree.root().hex() == root
    assert tree.size == 8


def broken(rows: list[Row], *checkpoints: Checkpoint) -> Break:
    state = judge(LOG, rows, checkpoints)
    assert state.verdict is Verdict.BROKEN
    assert state.broken is not None
    return state.broken


def test_a_changed_payload_breaks_its_own_row() -> None:
    rows = make_log(9)
    rows[4] = replace(rows[4], payload=b'{"n":55}')
    assert broken(rows) == Break(5, "row 5 is not what was written: its hash differs")


def test_a_removed_row_is_missed() -> None:
    rows = make_log(9)
    assert "row 3 is missing" in broken(rows[:2] + rows[3:]).what


def test_swapped_rows_break_the_chain() -> None:
    rows = make_log(9)
    assert broken([rows[0], replace(rows[2], seq=2), replace(rows[1], seq=3), *rows[3:]]).seq == 2


def test_a_row_of_another_log_breaks_the_chain() -> None:
    assert judge(bytes(16), make_log(3), ()).verdict is Verdict.BROKEN


def test_a_log_without_checkpoint_is_intact_but_not_pinned() -> None:
    rows = make_log(6)
    assert judge(LOG, rows, ()) == LogState(Verdict.UNPINNED, 6, checkpoint(rows).root, 0)


@pytest.mark.parametrize("size", range(1, 7))
def test_a_log_that_agrees_with_its_checkpoints_is_pinned(size: int) -> None:
    rows = make_log(6)
    state = judge(LOG, rows, [checkpoint(rows[:size]), checkpoint(rows[:1])])
    assert (state.verdict, state.pinned) == (Verdict.PINNED, size)


def test_a_cut_tail_is_seen_only_with_a_checkpoint() -> None:
    rows = make_log(6)
    assert judge(LOG, rows[:4], ()).verdict is Verdict.UNPINNED
    assert broken(rows[:4], checkpoint(rows)).what == "the log ends after 4 rows; a checkpoint has seen 6"


def test_a_rewritten_middle_with_recomputed_hashes_is_seen_with_a_checkpoint() -> None:
    rows = make_log(6)
    pinned = checkpoint(rows)
    rows[2] = replace(rows[2], payload=b"forged")
    forged = list(recomputed(rows))
    assert judge(LOG, forged, ()).verdict is Verdict.UNPINNED
    assert broken([*forged, *make_log(7)[6:]], pinned).seq == 6


def test_an_empty_log_pins_nothing() -> None:
    assert judge(LOG, [], [checkpoint([])]).verdict is Verdict.UNPINNED
