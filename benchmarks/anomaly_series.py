"""The series that anomaly rules are measured on: simulated years with what makes real ones hard to judge.

Everything follows from a seed. This file was written before the rules that are measured on it, and is not changed to
suit them. Days are UTC; daily series begin with HISTORY_DAYS before the year in which alarms are counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

YEARS = 200
HISTORY_DAYS = 120
DAYS = HISTORY_DAYS + 365
HOURS = DAYS * 24
FIRST = date(2023, 9, 3)


@dataclass(frozen=True)
class Daily:
    """A year of daily spend; `holidays` are those that the settings name, one day off is always forgotten there.

    `known[d, k]` is the share of day d's value that the export shows k + 1 days after d began: 0 at its end.
    """

    seed: int
    first: date
    values: Values
    holidays: frozenset[date]
    known: Values


@dataclass(frozen=True)
class Hourly:
    """A year of hourly counts, with `rate`, what they are drawn from."""

    seed: int
    first: date
    values: Values
    rate: Values
    holidays: frozenset[date]


@dataclass(frozen=True)
class Disk:
    """The used share of a disk, once a day. `full_in_days` is when its trend reaches 1, from the last value on."""

    values: Values
    full_in_days: float


@dataclass(frozen=True)
class Labelled:
    """An hourly series of no known kind, with the hours (first, last) of what is wrong in it."""

    seed: int
    values: Values
    windows: tuple[tuple[int, int], ...]
    faults: tuple[str, ...]


def dates(first: date, days: int) -> list[date]:
    """That many days in a row."""
    return [first + timedelta(days=number) for number in range(days)]


def _free_days(rng: np.random.Generator, days: int) -> list[int]:
    """Some ten days off a year, at least five days apart."""
    chosen: list[int] = []
    while len(chosen) < round(days / 36):
        day = int(rng.integers(7, days - 7))
        if all(abs(day - other) >= 5 for other in chosen):
            chosen.append(day)
    return chosen


def spend(seed: int) -> Daily:
    """Daily spend: weekly rhythm, growth, month-end, holidays, noise with a heavy tail, and when it becomes known."""
    rng = np.random.default_rng([1, seed])
    number = np.arange(DAYS)
    first = FIRST + timedelta(days=int(rng.integers(0, 365)))
    days = dates(first, DAYS)
    weekday = np.array([day.weekday() for day in days])
    rhythm = rng.normal(1.0, 0.04, 7)
    rhythm[5:] *= rng.choice([1.0, 0.85, 0.6, 0.35], p=[0.25, 0.25, 0.3, 0.2])
    growth = (1.0 + rng.uniform(-0.1, 0.8)) ** (number / 365)
    last_days = np.array([(day + timedelta(days=2)).day <= 2 for day in days])
    month_end = np.where(last_days, rng.choice([1.0, 1.0, 1.2, 1.5]), 1.0)
    free = _free_days(rng, DAYS)
    holiday = np.ones(DAYS)
    holiday[free] = rng.uniform(0.4, 0.9)
    sigma = rng.uniform(0.02, 0.10)
    noise = np.exp(sigma * np.clip(rng.standard_t(5, DAYS), -5, 5) * 0.78)
    wander = np.exp(np.cumsum(rng.normal(0, 0.002, DAYS)))
    values = 10 ** rng.uniform(0.7, 3.7) * growth * rhythm[weekday] * month_end * holiday * noise * wander
    forgotten = free[int(rng.integers(0, len(free)))]
    named = frozenset(days[index] for index in free if index != forgotten)
    return Daily(seed, first, np.round(values, 2), named, _late(rng, DAYS))


def _late(rng: np.random.Generator, days: int) -> Values:
    """What share of a day's bill is known one to four days later; now and then a day is very late."""
    after_one = rng.uniform(0.6, 1.0, days)
    very_late = rng.random(days) < 0.02
    after_one[very_late] = rng.uniform(0.1, 0.6, int(very_late.sum()))
    after_two = 1 - (1 - after_one) * rng.uniform(0.0, 0.1, days)
    after_three = 1 - (1 - after_two) * rng.uniform(0.0, 0.3, days)
    return np.stack([after_one, after_two, after_three, np.ones(days)], axis=1)


DAILY_FAULTS = ("seven days at 0", "drop to 40%", "spike x2", "step +30%", "drift 2% a day")


def broken(year: Daily, fault: str, start: int) -> Daily:
    """The year with a fault that begins on day `start` (an index): a drop lasts 7 days, a step for ever."""
    values = year.values.copy()
    if fault == "seven days at 0":
        values[start : start + 7] = 0.0
    elif fault == "drop to 40%":
        values[start : start + 7] *= 0.4
    elif fault == "spike x2":
        values[start] *= 2.0
    elif fault == "step +30%":
        values[start:] *= 1.3
    elif fault == "drift 2% a day":
        ramp = np.clip(np.arange(DAYS) - start + 1, 0, 60)
        values *= 1.02**ramp
    else:
        raise ValueError(fault)
    return replace(year, values=np.round(values, 2))


def fault_start(year: Daily) -> int:
    """A random day of the year on which its faults begin."""
    return int(np.random.default_rng([2, year.seed]).integers(HISTORY_DAYS + 10, DAYS - 70))


def calls(seed: int) -> Hourly:
    """Calls an hour: office hours or all day, weekends, growth, holidays; overdispersed counts, from few to many."""
    rng = np.random.default_rng([3, seed])
    first = FIRST + timedelta(days=int(rng.integers(0, 365)))
    hour = np.arange(HOURS) % 24
    day = np.arange(HOURS) // 24
    weekday = np.array([each.weekday() for each in dates(first, DAYS)])[day]
    begin, end = rng.integers(6, 10), rng.integers(17, 21)
    office = np.where((hour >= begin) & (hour < end), 1.0, rng.choice([0.0, 0.02, 0.2]))
    weekend = np.where(weekday >= 5, rng.choice([0.1, 0.5, 1.0]), 1.0)
    free = _free_days(rng, DAYS)
    holiday = np.where(np.isin(day, free), rng.uniform(0.2, 0.8), 1.0)
    growth = (1.0 + rng.uniform(-0.2, 0.8)) ** (day / 365)
    rate = 10 ** rng.uniform(0.7, 2.3) * office * weekend * holiday * growth
    shape = rng.uniform(3, 30)
    values = rng.poisson(rate * rng.gamma(shape, 1 / shape, HOURS)).astype(float)
    days = dates(first, DAYS)
    return Hourly(seed, first, values, rate, frozenset(days[index] for index in free[1:]))


def ingestion(seed: int) -> Hourly:
    """Rows that arrive an hour: often few and in clumps, with quiet nights, weekends and holidays."""
    rng = np.random.default_rng([4, seed])
    first = FIRST + timedelta(days=int(rng.integers(0, 365)))
    hour = np.arange(HOURS) % 24
    day = np.arange(HOURS) // 24
    weekday = np.array([each.weekday() for each in dates(first, DAYS)])[day]
    peak = rng.uniform(9, 18)
    daytime = np.exp(-0.5 * (((hour - peak + 12) % 24 - 12) / rng.uniform(3, 8)) ** 2)
    night = rng.choice([0.01, 0.1, 0.5])
    weekend = np.where(weekday >= 5, rng.choice([0.3, 0.7, 1.0]), 1.0)
    free = _free_days(rng, DAYS)
    holiday = np.where(np.isin(day, free), rng.uniform(0.3, 0.9), 1.0)
    rate = 10 ** rng.uniform(0.2, 1.7) * np.maximum(daytime, night) * weekend * holiday
    shape = rng.uniform(1.5, 10)
    values = rng.poisson(rate * rng.gamma(shape, 1 / shape, HOURS)).astype(float)
    days = dates(first, DAYS)
    return Hourly(seed, first, values, rate, frozenset(days[index] for index in free[1:]))


def silent(year: Hourly, start: int, hours: int) -> Hourly:
    """The year without a single event in those hours."""
    values = year.values.copy()
    values[start : start + hours] = 0.0
    return replace(year, values=values)


def silence_start(year: Hourly) -> int:
    """A random hour of the year in which a silence begins."""
    return int(np.random.default_rng([5, year.seed]).integers((HISTORY_DAYS + 10) * 24, HOURS - 10 * 24))


@dataclass(frozen=True)
class Bill:
    """A year of daily spend by service. `new` is a service that appears on day `start`, with a tenth of the total."""

    first: date
    services: dict[str, Values]
    start: int
    new: Values
    holidays: frozenset[date]


def bill(seed: int) -> Bill:
    """Spend by service: few large ones, many small, some that appear on single days with next to nothing."""
    rng = np.random.default_rng([6, seed])
    year = spend(seed)
    shares = rng.dirichlet(np.full(int(rng.integers(4, 15)), 0.5))
    services = {}
    for index, share in enumerate(shares):
        own = np.exp(rng.normal(0, 0.08, DAYS)) * share
        services[f"service-{index}"] = np.round(year.values * own, 2)
    for index in range(int(rng.integers(1, 6))):
        present = rng.random(DAYS) < rng.uniform(0.005, 0.1)
        tiny = year.values * rng.uniform(0.0002, 0.006) * np.exp(rng.normal(0, 0.5, DAYS))
        services[f"seldom-{index}"] = np.round(np.where(present, tiny, 0.0), 2)
    start = fault_start(year)
    new = np.where(np.arange(DAYS) >= start, np.round(year.values * 0.1, 2), 0.0)
    return Bill(year.first, services, start, new, year.holidays)


def disks(count: int, days: int = 120) -> Iterator[Disk]:
    """Disks that fill in 3 days to ten years: growth, weekly rotation of logs, noise, clean-ups and large copies."""
    for seed in range(count):
        rng = np.random.default_rng([7, seed])
        left = float(10 ** rng.uniform(np.log10(3), np.log10(3650)))
        used = rng.uniform(0.3, 0.97)
        slope = (1 - used) / left
        number = np.arange(days) - (days - 1)
        values = used + slope * number
        if rng.random() < 0.3:  # it grew at another pace until some weeks ago
            turn = -int(rng.integers(40, 90))
            values = np.where(number < turn, used + slope * turn + slope * rng.uniform(0, 2) * (number - turn), values)
        rotation = rng.uniform(0, 0.01) * ((number + int(rng.integers(0, 7))) % 7) / 7
        noise = rng.normal(0, rng.uniform(0.0002, 0.002), days)
        copies = np.zeros(days)
        for _ in range(int(rng.integers(0, 4))):
            begin = int(rng.integers(0, days - 5))
            copies[begin : begin + int(rng.integers(1, 4))] += rng.uniform(0.01, 0.06)
        copies[-1] = 0.0
        yield Disk(np.clip(values + rotation + noise + copies, 0.01, 0.999), left)


HOURLY_FAULTS = ("spike", "dip", "shift", "noise burst")


def labelled(seed: int, days: int = 90) -> Labelled:
    """An hourly series of one of six natures with two faults in its last two thirds."""
    rng = np.random.default_rng([8, seed])
    hours = days * 24
    values, scale = _nature(rng, hours)
    windows: list[tuple[int, int]] = []
    faults: list[str] = []
    for part in range(2):
        third = hours // 3
        begin = int(rng.integers(third * (part + 1) + 24, third * (part + 2) - 120))
        fault = str(rng.choice(HOURLY_FAULTS))
        sign = -1.0 if fault == "dip" else 1.0
        if fault in {"spike", "dip"}:
            length = int(rng.integers(1, 6))
            values[begin : begin + length] += sign * scale * rng.uniform(5, 12)
        elif fault == "shift":
            length = int(rng.integers(24, 97))
            values[begin : begin + length] += rng.choice([-1.0, 1.0]) * scale * rng.uniform(3, 8)
        else:
            length = int(rng.integers(12, 49))
            values[begin : begin + length] += rng.normal(0, scale * rng.uniform(3, 6), length)
        windows.append((begin, begin + length - 1))
        faults.append(fault)
    return Labelled(seed, values, tuple(windows), tuple(faults))


def _nature(rng: np.random.Generator, hours: int) -> tuple[Values, float]:
    """A healthy series and how far it usually is from its own rhythm."""
    hour = np.arange(hours)
    daily = np.sin(2 * np.pi * (hour / 24 + rng.random()))
    weekly = np.where(hour // 24 % 7 >= 5, rng.uniform(0.4, 1.0), 1.0)
    nature = int(rng.integers(0, 6))
    level = 10 ** rng.uniform(0, 3)
    if nature == 0:  # level with noise
        scale = level * rng.uniform(0.02, 0.1)
        return level + rng.normal(0, scale, hours), scale
    if nature == 1:  # daily rhythm
        scale = level * rng.uniform(0.03, 0.1)
        return level * (1 + rng.uniform(0.2, 0.8) * daily) + rng.normal(0, scale, hours), scale
    if nature == 2:  # daily and weekly rhythm
        scale = level * rng.uniform(0.03, 0.1)
        return level * (1.2 + daily) * weekly + rng.normal(0, scale, hours), scale
    if nature == 3:  # heavy tail, never negative, as latencies are
        values = level * np.exp(rng.normal(0, 0.25, hours))
        return values, level * 0.3
    if nature == 4:  # a level that wanders slowly
        steps = rng.normal(0, level * 0.01, hours)
        wander = np.zeros(hours)
        for index in range(1, hours):
            wander[index] = 0.98 * wander[index - 1] + steps[index]
        scale = level * 0.05
        return level + wander + rng.normal(0, level * 0.02, hours), scale
    mean = rng.uniform(5, 100)  # counts with a daily rhythm
    return rng.poisson(mean * (1.3 + daily)).astype(float), float(np.sqrt(mean * 1.3))
