"""What a series should have been: its rhythm, its growth, and how far it usually is from both.

The model: value = median of its season (weekday, hour of the week or of the day) × growth × month's edge, with noise in
proportion. It is fitted on whole weeks that end before the days to be judged, so that these cannot excuse themselves.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from anomaly_rules.grid import Flags, Grid, Values, day_number
from anomaly_rules.statistics import MAD_TO_SIGMA, median, row_medians, theil_sen

WEEKS = 9
FEWEST_SEASONS = 3
DAYS = 28
FEWEST_DAYS = 4
FEWEST_WEEKS = 4
_CLEARLY = 0.9
_FLOOR = 0.2
"""Below this share of the series' usual size noise no longer shrinks in proportion."""
_LEAST_NOISE = 0.01
"""The least noise, as a share of the usual size, that is believed of a series with a rhythm of its own."""


@dataclass(frozen=True)
class Expected:
    """For each judged period: the value, what was expected, and one standard deviation, all in the metric's unit.

    `size` is the expected size that changes are shares of. `rests` and `edge` mark holidays and the edges of months.
    """

    values: Values
    expected: Values
    sigma: Values
    size: Values
    rests: Flags
    edge: Flags

    @property
    def z(self) -> Values:
        """How many standard deviations each value is away."""
        return (self.values - self.expected) / self.sigma

    @property
    def change(self) -> Values:
        """How far each value is away, as a share of what was expected."""
        return (self.values - self.expected) / self.size


def expected_days(laid: Grid, tail: int, holidays: frozenset[date]) -> Expected | None:
    """What the last `tail` days should have been, by their weekday; None without three weeks before them."""
    weeks = min(WEEKS, (len(laid) - tail) // 7)
    if weeks < FEWEST_SEASONS:
        return None
    first = len(laid) - tail - weeks * 7
    values = laid.values[first:]
    rests, edge = _free(laid, first, holidays), _edges(laid.first + first, len(laid) - first)
    base = np.where(rests | edge, np.nan, values)[: weeks * 7]
    fitted = _fit(base, values)
    if fitted is None:
        return None
    expected, usual, noise = fitted
    expected = _month_edges(expected, values, edge, weeks * 7)
    size = np.maximum(np.abs(expected), _FLOOR * usual)
    cut = weeks * 7
    sigma = np.maximum(noise, _LEAST_NOISE) * size
    return Expected(values[cut:], expected[cut:], sigma[cut:], size[cut:], rests[cut:], edge[cut:])


@dataclass(frozen=True)
class Hours:
    """The newest hour against its rhythm. `z` are the deviations of all hours, the newest last, in units of `sigma`.

    `sigma` is the newest hour's standard deviation in the metric's unit; each hour of the day has its own. `noise` is
    that of all hours, `days` the history.
    """

    value: float
    expected: float
    sigma: float
    rests: bool
    z: Values
    noise: float
    days: int


def expected_hours(laid: Grid, holidays: frozenset[date]) -> Hours | None:
    """What the newest hour should have been, by the hour of the week or of the day; None under four days.

    The week's rhythm is used where it explains the history better than the day's.
    """
    laid = laid.local()
    days = (len(laid) - 1) // 24
    if days < FEWEST_DAYS:
        return None
    best = _rhythm(laid, 24, min(days, DAYS), holidays)
    if days >= FEWEST_WEEKS * 7:
        weekly = _rhythm(laid, 168, min(days // 7, WEEKS), holidays)
        best = weekly if weekly.noise < _CLEARLY * best.noise else best
    return best


def _rhythm(laid: Grid, period: int, count: int, holidays: frozenset[date]) -> Hours:
    """The newest hour against the median of its season in the last `count` periods."""
    values = laid.values[len(laid) - 1 - period * count :]
    rests = _free(laid, len(laid) - len(values), holidays)
    base = np.where(rests, np.nan, values)[:-1]
    seasons = row_medians(base.reshape(count, period).T)
    seasons = np.where(np.isnan(seasons), median(seasons), seasons)
    left = values - np.resize(seasons, len(values))
    by_hour, noise = _by_hour(np.where(rests, np.nan, left)[:-1], count)
    sigma = np.maximum(by_hour, max(_LEAST_NOISE * median(np.abs(seasons)), 1e-12))
    z = left / np.resize(sigma, len(left))
    return Hours(
        float(values[-1]), float(seasons[0]), float(sigma[0]), bool(rests[-1]), z, noise, (len(laid) - 1) // 24
    )


def _by_hour(left: Values, count: int) -> tuple[Values, float]:
    """The noise of each hour of the day, from it and the hours beside it, and no less than a third of all hours' noise.

    The first is that of the hour after the last. With it, the noise of all hours.
    """
    hours = np.abs(left).reshape(-1, 24).T
    beside = np.concatenate([np.roll(hours, 1, axis=0), hours, np.roll(hours, -1, axis=0)], axis=1)
    factor = MAD_TO_SIGMA * _inflation(count)
    every = factor * median(hours.ravel())
    return np.fmax(factor * row_medians(beside), every / 3), every


def _inflation(count: int) -> float:
    """How much wider new values scatter around the median of `count` values than these do themselves (simulated)."""
    return 2.6 if count <= 3 else 1.0 + 2.3 / count


def _fit(base: Values, values: Values) -> tuple[Values, float, float] | None:
    """Expected values of all days, the usual size, and the noise as a share of it; None where nothing is known.

    Two rounds: the growth seen through the rhythm, then the rhythm without the growth.
    """
    count = len(base) // 7
    seasons = row_medians(base.reshape(count, 7).T)
    usual = median(np.abs(seasons))
    if np.isnan(usual):
        return None
    usual = usual or median(np.abs(base[base != 0])) or 1.0
    if np.isnan(usual):
        usual = 1.0
    number = np.arange(len(values)) - (len(base) - 1) / 2
    slope = _growth(base, seasons, usual)
    growth = np.maximum(1.0 + slope * number, 0.05)
    seasons = row_medians((base / growth[: len(base)]).reshape(count, 7).T)
    seasons = np.where(np.isnan(seasons), median(seasons), seasons)
    expected = np.resize(seasons, len(values)) * growth
    left = (base - expected[: len(base)]) / np.maximum(np.abs(expected[: len(base)]), _FLOOR * usual)
    noise = MAD_TO_SIGMA * median(np.abs(left)) * _inflation(count)
    return expected, usual, 0.0 if np.isnan(noise) else noise


def _growth(base: Values, seasons: Values, usual: float) -> float:
    """The change a day, as a share of the usual size at the middle."""
    steady = np.where(np.abs(seasons) > _FLOOR * usual, seasons, np.nan)
    slope, _ = theil_sen(base / np.resize(steady, len(base)))
    return 0.0 if np.isnan(slope) else slope


def _free(laid: Grid, first: int, holidays: frozenset[date]) -> Flags:
    if not holidays:
        return np.zeros(len(laid) - first, dtype=bool)
    begin, end = (
        (laid.first + first, laid.first + len(laid))
        if laid.daily
        else (
            (laid.first + first) // 24,
            (laid.first + len(laid) - 1) // 24 + 1,
        )
    )
    days = _rest_days(begin, end - begin, holidays)
    return days if laid.daily else days[laid.day_numbers()[first:] - begin]


@lru_cache(maxsize=64)
def _rest_days(first: int, count: int, holidays: frozenset[date]) -> Flags:
    """Which of so many days from a day (numbered from 1970 on) are off."""
    return np.isin(np.arange(first, first + count), [day_number(day) for day in holidays])


@lru_cache(maxsize=64)
def _edges(first: int, count: int) -> Flags:
    """Which of so many days are the last two of a month, or the first: bills are closed, reports run."""
    days = [date(1970, 1, 1) + timedelta(days=first + number) for number in range(count)]
    return np.array([day.day == 1 or (day + timedelta(days=2)).day <= 2 for day in days], dtype=bool)


def _month_edges(expected: Values, values: Values, edge: Flags, cut: int) -> Values:
    """Raise (or lower) the expectation of months' edges by what earlier edges had over their weekdays."""
    before = np.flatnonzero(edge[:cut] & ~np.isnan(values[:cut]) & (expected[:cut] > 0))
    if not len(before):
        return expected
    # One edge may have been odd; the ratio moves to 1 the fewer there were.
    ratio = 1.0 + (median(values[before] / expected[before]) - 1.0) * len(before) / (len(before) + 1.0)
    return np.where(edge, expected * max(ratio, 0.1), expected)
