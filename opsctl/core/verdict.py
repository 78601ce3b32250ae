"""What a look at a whole log says: the verdicts, and how they are reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from opsctl.core import chain
from opsctl.core.checkpoint import Checkpoint
from opsctl.core.merkle import Tree


class Verdict(StrEnum):
    """What is known about a log. Without a checkpoint from elsewhere, a cut tail cannot be seen."""

    BROKEN = "broken"
    UNPINNED = "intact, tail not pinned"
    PINNED = "intact and pinned"
    RESTORED = "restored"
    COULD_NOT_RUN = "could not run"


@dataclass(frozen=True)
class LogState:
    """A verdict on a log of `size` rows, its root, the first break if any, and how many rows a checkpoint pins."""

    verdict: Verdict
    size: int
    root: bytes
    pinned: int
    broken: chain.Break | None = None


def judge(log_id: bytes, rows: Iterable[chain.Row], checkpoints: Sequence[Checkpoint]) -> LogState:
    """Walk a log once and compare it with trusted checkpoints of the same log.

    It is *pinned* when every checkpoint agrees and the newest covers at least one row.
    """
    due = sorted(checkpoints, key=lambda checkpoint: checkpoint.size)
    tree = Tree()
    pinned = 0

    def compare() -> chain.Break | None:
        nonlocal pinned
        while due and due[0].size == tree.size:
            expected = due.pop(0)
            if expected.root != tree.root():
                return chain.Break(tree.size, f"the first {tree.size} rows are not those of the checkpoint")
            pinned = tree.size
        return None

    broken = compare()
    for found in chain.check(log_id, rows):
        if broken is not None:
            break
        if isinstance(found, chain.Break):
            broken = found
            break
        tree.append(found)
        broken = compare()
    if broken is None and due:
        broken = chain.Break(
            tree.size + 1, f"the log ends after {tree.size} rows; a checkpoint has seen {due[-1].size}"
        )
    if broken is not None:
        return LogState(Verdict.BROKEN, tree.size, tree.root(), pinned, broken)
    return LogState(Verdict.PINNED if pinned else Verdict.UNPINNED, tree.size, tree.root(), pinned)
