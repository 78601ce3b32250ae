"""Three ways to see that an hour is odd, and their vote: none of them alone is right about all kinds of series.

Seasonal (hour of the week or day, median and MAD), rolling (mean and deviation of the last day), and extreme (beyond
anything in four weeks).
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from anomaly_rules.expected import expected_hours
from anomaly_rules.grid import Grid, Values

SEASONAL_SIGMAS = 4.0
ROLLING_SIGMAS = 4.0
ROLLING_HOURS = 48
EXTREME_HOURS = 28 * 24
EXTREME_MARGIN = 0.1
NEEDED = 2


@dataclass(frozen=True)
class Votes:
    """The newest value, what was expected and would have been in order, and why it is odd: a vote each."""

    value: float
    expected: float
    low: float
    high: float
    size: float
    reasons: tuple[str, ...]
    needed: int = NEEDED


def votes(laid: Grid, holidays: Set[date], direction: Literal["up", "down", "both"]) -> Votes | None:
    """Judge the newest hour; None without three days before it."""
    found = expected_hours(laid, 1, holidays)
    if found is None:
        return None
    value, expected, sigma = float(found.values[0]), float(found.expected[0]), float(found.sigma[0])
    before = laid.values[-1 - EXTREME_HOURS : -1]
    before = before[~np.isnan(before)]
    low, high = expected - SEASONAL_SIGMAS * sigma, expected + SEASONAL_SIGMAS * sigma
    sides = {"up": (1.0,), "down": (-1.0,), "both": (1.0, -1.0)}[direction]
    reasons: tuple[str, ...] = ()
    for side in sides:
        if bool(found.rests[0]) and side < 0:
            continue
        against = _reasons(side, value, expected, sigma, before)
        if len(against) > len(reasons):
            reasons = against
    return Votes(value, expected, low, high, abs(value - expected) / (SEASONAL_SIGMAS * sigma), reasons)


def _reasons(side: float, value: float, expected: float, sigma: float, before: Values) -> tuple[str, ...]:
    """The votes that the value is too high (side 1) or too low (-1)."""
    reasons = []
    if side * (value - expected) > SEASONAL_SIGMAS * sigma:
        reasons.append(f"{abs(value - expected) / sigma:.1f} deviations from this hour's median")
    lately = before[-ROLLING_HOURS:]
    mean, spread = float(lately.mean()), max(float(lately.std()), 1e-9 * abs(float(lately.mean())), 1e-12)
    if side * (value - mean) > ROLLING_SIGMAS * spread:
        reasons.append(f"{abs(value - mean) / spread:.1f} deviations from the last two days' mean")
    lowest, highest = float(before.min()), float(before.max())
    margin = EXTREME_MARGIN * (highest - lowest)
    if (side > 0 and value > highest + margin) or (side < 0 and value < lowest - margin):
        reasons.append("beyond anything in four weeks")
    return tuple(reasons)
