"""What a series should have been: its rhythm, its growth, and how far it usually is from both.

The model: value = median of its season (weekday, hour of the week or of the day) × growth × month's edge, with noise in
proportion. It is fitted on whole weeks that end before the days to be judged, so that these cannot excuse themselves.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from anomaly_rules.grid import Flags, Grid, Values, day_number
from anomaly_rules.statistics import MAD_TO_SIGMA, median, row_medians, theil_sen

WEEKS = 9
FEWEST_SEASONS = 3
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


def expected_days(laid: Grid, tail: int, holidays: Set[date]) -> Expected | None:
    """What the last `tail` days should have been, by their weekday; None without three weeks before them."""
    weeks = min(WEEKS, (len(laid) - tail) // 7)
    if weeks < FEWEST_SEASONS:
        return None
    first = len(laid) - tail - weeks * 7
    values = laid.values[first:]
    rests, edge = _free(laid, first, holidays), _edges(laid, first)
    base = np.where(rests | edge, np.nan, values)[: weeks * 7]
    fitted = _fit(base, values, 7)
    if fitted is None:
        return None
    expected, usual, noise = fitted
    expected = _month_edges(expected, values, edge, weeks * 7)
    size = np.maximum(np.abs(expected), _FLOOR * usual)
    cut = weeks * 7
    sigma = np.maximum(noise, _LEAST_NOISE) * size
    return Expected(values[cut:], expected[cut:], sigma[cut:], size[cut:], rests[cut:], edge[cut:])


def expected_hours(laid: Grid, tail: int, holidays: Set[date]) -> Expected | None:
    """What the last `tail` hours should have been, by their hour of the week or of the day; None under three days."""
    laid = laid.local()
    values = laid.values
    days = (len(values) - tail) // 24
    if days >= FEWEST_SEASONS * 7:
        period, count = 168, min(WEEKS, days // 7)
    elif days >= FEWEST_SEASONS:
        period, count = 24, min(14, days)
    else:
        return None
    values = values[len(values) - tail - period * count :]
    rests = _free(laid, len(laid) - len(values), holidays)
    cut = period * count
    fitted = _fit(np.where(rests, np.nan, values)[:cut], values, period)
    if fitted is None:
        return None
    expected, usual, noise = fitted
    size = np.maximum(np.abs(expected), _FLOOR * usual)
    sigma = np.maximum(noise, _LEAST_NOISE) * size
    return Expected(values[cut:], expected[cut:], sigma[cut:], size[cut:], rests[cut:], np.zeros(tail, dtype=bool))


def _fit(base: Values, values: Values, period: int) -> tuple[Values, float, float] | None:
    """Expected values of all periods, the usual size, and the noise as a share of it; None where nothing is known.

    Two rounds: the growth seen through the rhythm, then the rhythm without the growth.
    """
    count = len(base) // period
    seasons = row_medians(base.reshape(count, period).T)
    usual = median(np.abs(seasons))
    if np.isnan(usual):
        return None
    usual = usual or median(np.abs(base[base != 0])) or 1.0
    if np.isnan(usual):
        usual = 1.0
    number = np.arange(len(values)) - (len(base) - 1) / 2
    slope = _growth(base, seasons, usual, period)
    growth = np.maximum(1.0 + slope * number, 0.05)
    seasons = row_medians((base / growth[: len(base)]).reshape(count, period).T)
    seasons = np.where(np.isnan(seasons), median(seasons), seasons)
    expected = np.resize(seasons, len(values)) * growth
    left = (base - expected[: len(base)]) / np.maximum(np.abs(expected[: len(base)]), _FLOOR * usual)
    # Each season's median was taken from the same few values, and so lies nearer to them than to new ones.
    noise = MAD_TO_SIGMA * median(np.abs(left)) * (1.0 + 1.5 / count)
    return expected, usual, 0.0 if np.isnan(noise) else noise


def _growth(base: Values, seasons: Values, usual: float, period: int) -> float:
    """The change a period, as a share of the usual size at the middle; of hourly series by their days."""
    with np.errstate(invalid="ignore", divide="ignore"):
        steady = np.where(np.abs(seasons) > _FLOOR * usual, seasons, np.nan)
        ratio = base / np.resize(steady, len(base))
    if period % 24 == 0:
        slope, _ = theil_sen(row_medians(ratio.reshape(-1, 24)))
        slope /= 24
    else:
        slope, _ = theil_sen(ratio)
    return 0.0 if np.isnan(slope) else slope


def _free(laid: Grid, first: int, holidays: Set[date]) -> Flags:
    if not holidays:
        return np.zeros(len(laid) - first, dtype=bool)
    return np.isin(laid.day_numbers()[first:], [day_number(day) for day in holidays])


def _edges(laid: Grid, first: int) -> Flags:
    """The last two days of each month and its first: bills are closed, reports run."""
    begin = laid.time(first).date()
    days = [begin + timedelta(days=number) for number in range(len(laid) - first)]
    return np.array([day.day == 1 or (day + timedelta(days=2)).day <= 2 for day in days], dtype=bool)


def _month_edges(expected: Values, values: Values, edge: Flags, cut: int) -> Values:
    """Raise (or lower) the expectation of months' edges by what earlier edges had over their weekdays."""
    before = np.flatnonzero(edge[:cut] & ~np.isnan(values[:cut]) & (expected[:cut] > 0))
    if not len(before):
        return expected
    # One edge may have been odd; the ratio moves to 1 the fewer there were.
    ratio = 1.0 + (median(values[before] / expected[before]) - 1.0) * len(before) / (len(before) + 1.0)
    return np.where(edge, expected * max(ratio, 0.1), expected)
