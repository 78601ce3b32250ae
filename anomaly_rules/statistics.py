"""Robust statistics on arrays, each with its source. Everything ignores NaN."""

import functools
from typing import Literal

import numpy as np

from anomaly_rules.grid import Flags, Numbers, Values

MAD_TO_SIGMA = 1.4826
"""What the median absolute deviation of normal noise is multiplied by to give its standard deviation."""


def median(values: Values) -> float:
    """The median; NaN of nothing."""
    known = np.sort(values[~np.isnan(values)])
    count = len(known)
    if not count:
        return float("nan")
    return float(known[count // 2] if count % 2 else (known[count // 2 - 1] + known[count // 2]) / 2)


def mean(values: Values) -> float:
    """The mean; NaN of nothing."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def row_medians(rows: Values) -> Values:
    """The median of each row; NaN of a row without values. Several times as fast as np.nanmedian."""
    ordered = np.sort(rows, axis=1)  # NaN sorts last
    counts = np.count_nonzero(~np.isnan(rows), axis=1)
    low = np.maximum(counts - 1, 0) // 2
    each = np.arange(len(rows))
    return np.where(
        counts > 0, (ordered[each, low] + ordered[each, np.minimum(counts // 2, rows.shape[1] - 1)]) / 2, np.nan
    )


def sigma(values: Values) -> float:
    """The standard deviation as the median absolute deviation has it: outliers do not widen it."""
    return MAD_TO_SIGMA * median(np.abs(values - median(values)))


@functools.lru_cache(maxsize=64)
def _pairs(count: int) -> tuple[Numbers, Numbers]:
    first, second = np.triu_indices(count, 1)
    return first, second


def theil_sen(values: Values) -> tuple[float, float]:
    """Slope per period, and the level at the last period (Theil 1950, Sen 1968: the median of all pairs' slopes).

    Up to 29% of the values may be anything. NaN of fewer than two values.
    """
    where = np.flatnonzero(~np.isnan(values))
    if len(where) < 2:
        return float("nan"), float("nan")
    known = values[where]
    first, second = _pairs(len(known))
    slope = median((known[second] - known[first]) / (where[second] - where[first]))
    return slope, median(known + slope * (len(values) - 1 - where))


def trailing(flags: Flags) -> int:
    """How many of the last are true without a break."""
    unset = np.flatnonzero(~flags)
    return len(flags) - 1 - int(unset[-1]) if len(unset) else len(flags)


def daily(first: int, values: Values, by: Literal["sum", "mean", "last"]) -> Values:
    """One value for each day that hours (numbered from 1970 on, beginning with `first`) touch; NaN without any."""
    begin = first % 24
    padded = np.concatenate([np.full(begin, np.nan), values, np.full(-(begin + len(values)) % 24, np.nan)])
    rows = padded.reshape(-1, 24)
    known = ~np.isnan(rows)
    some = known.any(axis=1)
    if by == "last":
        return np.where(some, rows[np.arange(len(rows)), 23 - np.argmax(known[:, ::-1], axis=1)], np.nan)
    total = np.where(some, np.where(known, rows, 0.0).sum(axis=1), np.nan)
    return total if by == "sum" else total / np.maximum(known.sum(axis=1), 1)
