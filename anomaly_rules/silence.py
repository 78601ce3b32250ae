"""How likely a silence is by the series' own rhythm: expected counts for each hour of the week, and their scatter.

The chance that nothing arrives in an hour is that of a negative binomial count with the hour's mean (events come in
clumps, so a Poisson count would call too many nights odd). The chances of the hours of a silence multiply. A silence is
also held against the second longest that the series had itself: twice is a habit, once was an incident.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from anomaly_rules.grid import Flags, Grid, Values, day_number

WEEKS = 8
_REST = 0.25
"""The least share of its usual traffic that is expected on a day off."""
_OWN = 1.2
"""How much more surprising than the series' own longest silence a finding has to be."""


@dataclass(frozen=True)
class Silence:
    """The silence at the end of a series: hours, the counts expected in them, and -log10 of the chance of it.

    `record` is the same figure for the second most surprising silence in the history.
    """

    hours: int
    expected: float
    surprise: float
    record: float

    def odd(self, chance: float) -> bool:
        """Whether it is less likely than `chance`, and stranger than what the series does by itself."""
        return self.surprise > max(-math.log10(chance), _OWN * self.record)


def silence(laid: Grid, holidays: frozenset[date], share: float) -> Silence | None:
    """Judge the silence at the end of an hourly series; an hour with less than `share` of its usual count is silent.

    None without a week of history.
    """
    laid = laid.local()
    values = laid.values
    weeks = min(WEEKS, (len(values) - 1) // 168)
    if weeks < 1:
        return None
    period = 168 if weeks >= 2 else 24
    count = weeks if weeks >= 2 else (len(values) - 1) // 24
    history = values[len(values) - period * count :]
    rests = _rests(laid, len(history), holidays)
    mean = _means(history, rests, period, count)
    mean = np.where(rests, mean * _REST, mean)
    quiet = np.isnan(history) | (history <= share * mean)
    surprise = np.where(np.isnan(history), 0.0, _surprise(mean, _clumping(history, mean, rests)))
    hours, last, record = _runs(quiet, surprise)
    expected = float(mean[len(mean) - hours :].sum()) if hours else 0.0
    return Silence(hours, expected, last, record)


def _means(history: Values, rests: Flags, period: int, count: int) -> Values:
    """The mean of each hour's season, lower where the last two weeks were lower."""
    busy = np.where(rests, np.nan, history).reshape(count, period)
    known = ~np.isnan(busy)
    means = np.where(known, busy, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    lately = slice(-336, None)
    usual = np.tile(means, count)
    heard = np.isfinite(history) & ~rests
    expected = float(usual[lately][heard[lately]].sum())
    found = float(history[lately][heard[lately]].sum())
    level = np.clip(found / expected, 0.5, 1.5) if expected > 0 else 1.0
    return usual * min(float(level), 1.0)


def _clumping(history: Values, mean: Values, rests: Flags) -> float:
    """The shape of the negative binomial: how even counts are around their means (method of moments)."""
    used = np.isfinite(history) & ~rests & (mean > 0)
    over = ((history[used] - mean[used]) ** 2 - mean[used]).sum()
    return float(np.clip((mean[used] ** 2).sum() / over, 0.2, 1e6)) if over > 0 else 1e6


def _surprise(mean: Values, shape: float) -> Values:
    """-log10 of the chance of no event in each hour."""
    return shape * np.log10(1.0 + mean / shape)


def _runs(quiet: Flags, surprise: Values) -> tuple[int, float, float]:
    """The length and surprise of the last run of quiet hours, and the second largest surprise of the runs before it."""
    total = np.cumsum(np.where(quiet, surprise, 0.0))
    loud = np.flatnonzero(~quiet)
    if not len(loud):
        return len(quiet), float(total[-1]), 0.0
    at = total[loud]
    before = np.sort(np.diff(at, prepend=0.0))
    record = float(before[-2]) if len(before) > 1 else 0.0
    return len(quiet) - 1 - int(loud[-1]), float(total[-1] - at[-1]), record


def _rests(laid: Grid, count: int, holidays: frozenset[date]) -> Flags:
    if not holidays:
        return np.zeros(count, dtype=bool)
    return np.isin(laid.day_numbers()[-count:], [day_number(day) for day in holidays])
