"""Kind `forecast`: a limit that will be crossed soon, by the trend of weeks or by what a month still costs."""

import calendar
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from pydantic import Field

from anomaly_rules.grid import Grid, Values, grid
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.spec import RuleSpec
from anomaly_rules.statistics import daily, median, sigma, theil_sen
from anomaly_rules.words import quantity
from opsctl.core.rule import Evidence, Labels, MetricId, Series, Verdict


class Parameters(Params):
    """What `[rules.params]` of kind `forecast` may say."""

    limit: float = Field(
        description="What must not be crossed; times `limit_metric`'s newest value where that is given."
    )
    limit_metric: MetricId | None = Field(None, description="A metric that holds the limit: a budget, a disk's size.")
    within_days: float = Field(30.0, gt=0, description="A crossing within so many days is a finding.")
    window_days: int = Field(45, ge=14, le=180, description="The days whose trend is followed.")
    month: Literal[True] | None = Field(None, description="Instead: what the calendar month will have summed up to.")


_SHORTER = (28, 14, 7, 4)
_CLEAR, _STRAIGHT = 8.0, 12.0
"""How many standard deviations growth has to be to be believed as long again, and three times as long, as it lasted."""


@dataclass(frozen=True)
class _Trend:
    """The change a day over so many days, when the limit is reached by it, and for how many days it is believed."""

    window: int
    slope: float
    in_days: float
    believed_days: float


class Forecast(EachSeries[Parameters]):
    """Theil-Sen over weeks, which copies and clean-ups do not bend; or the sum of the running month."""

    coverage = 0.6

    def others(self) -> tuple[MetricId, ...]:
        """The metric that holds the limit."""
        return (self.params.limit_metric,) if self.params.limit_metric else ()

    @property
    def min_history_days(self) -> int:
        """Two weeks show a trend through their rhythm."""
        return 14

    @property
    def reach_days(self) -> int:
        """The window, or the month and four weeks before."""
        return 60 if self.params.month else self.params.window_days

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge where the trend leads."""
        limit = self._limit(others, at)
        if limit is None:
            return self.could_not(f"there is no limit: {self.params.limit_metric} was not measured", labels)
        return self._month(laid, labels, limit, at) if self.params.month else self._crossing(laid, labels, limit)

    def _limit(self, others: Mapping[MetricId, Series], at: datetime) -> float | None:
        if self.params.limit_metric is None:
            return self.params.limit
        found = others.get(self.params.limit_metric)
        laid = grid(found, self.context.metrics[self.params.limit_metric], at) if found else None
        return float(laid.values[-1]) * self.params.limit if laid is not None and len(laid) else None

    def _crossing(self, laid: Grid, labels: Labels, limit: float) -> Verdict:
        days = laid.values if laid.daily else daily(laid.first, laid.values, "last")
        newest, unit = float(laid.values[-1]), self.metric.unit
        trend = self._trend(days, limit)
        evidence = Evidence(
            value=newest,
            expected=limit,
            since=laid.time(-1),
            size=min(1e3, max(1.0, self.params.within_days / max(trend.in_days, 0.01))),
            recent=tuple(None if math.isnan(value) else value for value in days[-30:].tolist()),
        )
        moves = f"{self.metric.title} is {quantity(newest, unit)} and moves by {quantity(trend.slope, unit)} a day"
        if trend.in_days > self.params.within_days:
            soon = f"; {quantity(limit, unit)} in {trend.in_days:,.0f} days" if trend.in_days < 3650 else ""
            return self.quiet(moves + soon, labels, evidence)
        when = laid.time(-1) + timedelta(days=trend.in_days)
        sentence = f"{moves}: it reaches {quantity(limit, unit)} in {trend.in_days:.0f} days, on {when:%Y-%m-%d}"
        return self.finding(f"{sentence} (by the last {trend.window} days)", labels, evidence)

    def _trend(self, days: Values, limit: float) -> _Trend:
        """The trend of the whole window; else of its end, where growth began lately."""
        longest = _trend(days, self.params.window_days, limit)
        for window in (length for length in _SHORTER if length < self.params.window_days):
            if longest.in_days <= self.params.within_days:
                break
            shorter = _trend(days, window, limit)
            if shorter.in_days <= min(shorter.believed_days, self.params.within_days):
                return shorter
        return longest

    def _month(self, laid: Grid, labels: Labels, limit: float, at: datetime) -> Verdict:
        days = laid.values if laid.daily else daily(laid.first, laid.values, "sum")
        last = laid.time(-1)
        through = last.day
        length = calendar.monthrange(last.year, last.month)[1]
        spent = float(np.nansum(days[-through:]))
        usual = days[max(0, len(days) - 28 - laid.unsettled) : len(days) - laid.unsettled]
        per_day = median(usual)
        # Days off and month-ends make the mean differ from the median; spikes must not.
        mean = float(np.nanmean(np.clip(usual, per_day / 3, per_day * 3))) if per_day > 0 else 0.0
        # What may still grow counts as a usual day at least.
        late = float(np.nansum(np.maximum(mean - days[len(days) - laid.unsettled :], 0.0))) if laid.unsettled else 0.0
        total = spent + late + mean * (length - through)
        unit = self.metric.unit
        evidence = Evidence(
            value=total,
            expected=limit,
            high=limit,
            since=last.replace(day=1),
            size=total / limit if limit > 0 else 1.0,
            recent=tuple(None if np.isnan(value) else float(value) for value in days[-30:]),
        )
        sentence = (
            f"{self.metric.title} of {last:%B} will be {quantity(total, unit)} "
            f"({quantity(spent, unit)} until now, {quantity(mean, unit)} a day)"
        )
        if total > limit:
            return self.finding(f"{sentence}, above {quantity(limit, unit)}", labels, evidence)
        return self.quiet(sentence, labels, evidence)


def _trend(days: Values, window: int, limit: float) -> _Trend:
    part = days[-window:]
    slope, level = theil_sen(part)
    left = limit - level
    in_days = left / slope if left * slope > 0 else math.inf
    around = sigma(part - slope * np.arange(len(part)))
    grown = abs(slope) * window
    believed = 3 * window if grown >= _STRAIGHT * around else window if grown >= _CLEAR * around else 0
    return _Trend(window, slope, in_days, believed)


def build(spec: RuleSpec, context: Context) -> Forecast:
    """The rule of a spec. Raises SettingsError."""
    return Forecast(spec, parameters(spec, Parameters), context)
