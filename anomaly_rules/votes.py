"""Four ways to see that an hour is odd, and their vote: none of them alone is right about all kinds of series.

All look at how far hours are from their rhythm (hour of the week or day, in units of that hour's own noise), so that
quiet nights and busy noons count alike: *seasonal* (far, also for a series whose noise has a heavy tail), *rolling*
(far from the last two days), *extreme* (beyond anything in four weeks); or *together*: the last hours all off to one
side, more than they were in four weeks.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from anomaly_rules.expected import expected_hours
from anomaly_rules.grid import Grid, Values

SIGMAS = 4.0
FAR_SIGMAS = 6.0
TAIL_SHARE = 0.995
TAIL_FACTOR = 1.3
ROLLING_HOURS = 48
EXTREME_HOURS = 28 * 24
EXTREME_FACTOR = 1.1
FEW_HOURS = 4
TOGETHER_HOURS = 6
TOGETHER_SIGMAS = 2.5
TOGETHER_FACTOR = 1.5
YOUNG_DAYS = 3.0
"""After so many days twice the deviation is asked for, after ten times as many a tenth more."""


@dataclass(frozen=True)
class Votes:
    """The newest value, what was expected and would have been in order, and why it is odd: a vote each."""

    value: float
    expected: float
    low: float
    high: float
    size: float
    reasons: tuple[str, ...]


def votes(laid: Grid, holidays: frozenset[date], direction: Literal["up", "down", "both"]) -> Votes | None:
    """Judge the newest hour; None without four days before it."""
    found = expected_hours(laid, holidays)
    if found is None:
        return None
    reasons: tuple[str, ...] = ()
    for side in {"up": (1.0,), "down": (-1.0,), "both": (1.0, -1.0)}[direction]:
        if found.rests and side < 0:
            continue
        found_odd = _alone(side * found.z, found.days) or _together(side * found.z, found.days)
        if found_odd and not reasons:
            reasons = found_odd
    room = SIGMAS * found.sigma
    size = abs(found.value - found.expected) / room
    return Votes(found.value, found.expected, found.expected - room, found.expected + room, size, reasons)


def _alone(z: Values, days: int) -> tuple[str, ...]:
    """Why the newest is too high by itself: it is far from its season, and one of the others agrees."""
    newest, before = float(z[-1]), z[:-1]
    before = before[~np.isnan(before)]
    young = 1.0 + YOUNG_DAYS / days
    if not newest > SIGMAS * young or not len(before):
        return ()
    place = int(TAIL_SHARE * (len(before) - 1))
    if newest < TAIL_FACTOR * young * float(np.partition(before, place)[place]):
        return ()
    lately = before[-ROLLING_HOURS:]
    rolling = newest - float(lately.mean()) > SIGMAS * young * max(float(lately.std()), 0.5)
    highest = np.sort(before[-EXTREME_HOURS:])[-1 - FEW_HOURS :]
    extreme = newest > EXTREME_FACTOR * young * float(highest[-1])
    # An earlier incident, which is but a few hours of four weeks, must not excuse the next one.
    again = rolling and newest > max(FAR_SIGMAS * young, EXTREME_FACTOR * young * float(highest[0]))
    if not extreme and (not again or _weekly(z)):
        return ()
    reasons = [f"{newest:.1f} deviations from this hour's median"]
    reasons += ["far from the last two days"] if rolling else []
    reasons += ["beyond anything in four weeks"] if extreme else []
    return tuple(reasons)


def _weekly(z: Values) -> bool:
    """Whether the same hour of an earlier week, or one beside it, was as high: a weekly job is no incident."""
    weeks = [z[-1 - 168 * week - 1 : len(z) - 168 * week + 1] for week in range(1, 5) if 168 * week + 1 < len(z)]
    return any(float(np.nanmax(hours, initial=0.0)) > 0.6 * float(z[-1]) for hours in weeks)


def _together(z: Values, days: int) -> tuple[str, ...]:
    """Why the last hours are all too high, though none may be by itself."""
    window = np.nan_to_num(z[-EXTREME_HOURS - TOGETHER_HOURS :])
    means = np.convolve(window, np.ones(TOGETHER_HOURS) / TOGETHER_HOURS, "valid")
    before = float(means[:-TOGETHER_HOURS].max(initial=0.0))
    if means[-1] > (1.0 + YOUNG_DAYS / days) * max(TOGETHER_SIGMAS, TOGETHER_FACTOR * before):
        return (f"all of the last {TOGETHER_HOURS} hours off to one side",)
    return ()
