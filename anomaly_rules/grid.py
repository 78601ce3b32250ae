"""A series on a regular grid of days or hours, which is what statistics work on. Nothing else here imports numpy."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from anomaly_rules.metric import Cadence, Metric
from opsctl.core.rule import Series

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECENT = 30


@dataclass(frozen=True)
class Grid:
    """Values of periods in a row, NaN where nothing is known; all could be judged at the time.

    `first` numbers the first period from 1970 on. The last `unsettled` values may still grow.
    """

    metric: Metric
    first: int
    values: Values
    unsettled: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def daily(self) -> bool:
        """Whether the periods are days, else hours."""
        return self.metric.cadence is Cadence.DAILY

    def time(self, index: int) -> datetime:
        """The beginning (UTC) of a period; negative indices count from the end."""
        return _EPOCH + (self.first + index % len(self.values)) * self.metric.cadence.step

    def numbers(self) -> Numbers:
        """The number of each period from 1970 on."""
        return np.arange(self.first, self.first + len(self.values))

    def day_numbers(self) -> Numbers:
        """The day of each period, counted from 1970 on."""
        return self.numbers() if self.daily else self.numbers() // 24

    def local(self) -> "Grid":
        """Hours by the clock of the metric's zone, whose rhythm people live by; its times must not be shown as UTC.

        Where clocks are put forward an hour is unknown, where they are put back the second of two counts.
        """
        if self.daily or self.metric.zone == "UTC" or not len(self):
            return self
        numbers = self.numbers() + self._offsets()
        values = np.full(int(numbers[-1] - numbers[0]) + 1, np.nan)
        values[numbers - numbers[0]] = self.values
        return replace(
            self, first=int(numbers[0]), values=values, metric=self.metric.model_copy(update={"zone": "UTC"})
        )

    def _offsets(self) -> Numbers:
        """How many hours (rounded down) the zone is ahead of UTC in each hour; it changes with the UTC day."""
        zone = ZoneInfo(self.metric.zone)
        begin = self.first // 24
        ends = (_EPOCH + timedelta(days=day) for day in range(begin + 1, (self.first + len(self) - 1) // 24 + 2))
        per_day = [int((end.astimezone(zone).utcoffset() or timedelta()).total_seconds() // 3600) for end in ends]
        return np.array(per_day, dtype=np.int64)[self.numbers() // 24 - begin]

    def recent(self, count: int = RECENT) -> tuple[float | None, ...]:
        """The last values, for a sparkline."""
        return tuple(None if math.isnan(value) else value for value in self.values[-count:].tolist())


def day_number(day: date) -> int:
    """A date, counted in days from 1970 on."""
    return day.toordinal() - _EPOCH.toordinal()


def grid(series: Series, metric: Metric, at: datetime) -> Grid:
    """Lay a series out. Periods that cannot be judged yet at `at` are left out, and so is what is no finite number."""
    step = metric.cadence.step
    count = len(series.times)
    while count and not metric.usable(series.times[count - 1], at):
        count -= 1
    if not count:
        return Grid(metric, 0, np.empty(0), 0)
    first, last = (int((time - _EPOCH) // step) for time in (series.times[0], series.times[count - 1]))
    values = np.array(series.values[:count], dtype=np.float64)
    if last - first + 1 != count:  # times ascend without repetition, so as many as fit leave no hole
        numbers = np.array([(time - _EPOCH) // step for time in series.times[:count]], dtype=np.int64)
        sparse, values = values, np.full(last - first + 1, np.nan)
        values[numbers - first] = sparse
    values[~np.isfinite(values)] = np.nan
    known = np.flatnonzero(~np.isnan(values))
    values = values[: known[-1] + 1] if len(known) else np.empty(0)
    return Grid(metric, first, values, _unsettled(metric, first, len(values), at))


def _unsettled(metric: Metric, first: int, count: int, at: datetime) -> int:
    unsettled = 0
    while (
        metric.settle_days
        and unsettled < count
        and not metric.settled(_EPOCH + (first + count - 1 - unsettled) * metric.cadence.step, at)
    ):
        unsettled += 1
    return unsettled
