"""When trouble is told, told again, and over: a pure function of what was told before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from opsctl.core.clock import SKEW

BAD = "bad"
ENDED = "ended"
BACK = "back"


@dataclass(frozen=True)
class Telling:
    """What people believe: `bad`, `ended`, or `back` (it comes and goes).

    `told` (UTC) is when they last heard that it is bad, `seen` when it was last seen bad.
    """

    phase: str
    told: datetime
    seen: datetime


def worse(before: Telling | None, *, at: datetime, again: timedelta) -> Telling:
    """What people believe after it was seen bad at `at`; they are told when `told` of the answer is `at`."""
    # A clock that ran ahead would otherwise keep it silent for as long.
    if before is None or at - before.told >= again or before.told > at + SKEW:
        return Telling(BAD, at, at)
    if before.phase == ENDED:
        return Telling(BACK, at, at)
    return Telling(before.phase, before.told, at)


def better(before: Telling, *, at: datetime, again: timedelta) -> Telling | None:
    """What people believe after it was seen good at `at`; they are told when that is `ended` and was not before.

    What ended is remembered for `again`, so that its return is known as one; after that there is nothing to remember.
    """
    if before.phase == ENDED:
        return before if at - before.told < again else None
    if before.phase == BACK and at - before.seen < again:
        return before
    return Telling(ENDED, before.told, before.seen)
