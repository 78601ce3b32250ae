"""Kind `forecast`: a limit that will be crossed soon, by the trend of weeks or by what a month still costs."""

import calendar
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from pydantic import Field

from anomaly_rules.grid import Grid, grid
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.spec import RuleSpec
from anomaly_rules.statistics import daily, median, theil_sen
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
        slope, level = theil_sen(days)
        newest = float(laid.values[-1])
        unit = self.metric.unit
        left = limit - level
        reaches = left * slope > 0 or left == 0
        in_days = left / slope if reaches and slope else float("inf")
        evidence = Evidence(
            value=newest,
            expected=limit,
            since=laid.time(-1),
            size=min(1e3, max(1.0, self.params.within_days / max(in_days, 0.01))),
            recent=tuple(None if np.isnan(value) else float(value) for value in days[-30:]),
        )
        trend = f"{self.metric.title} is {quantity(newest, unit)} and moves by {quantity(slope, unit)} a day"
        if in_days > self.params.within_days:
            soon = f"; {quantity(limit, unit)} in {in_days:,.0f} days" if in_days < 3650 else ""
            return self.quiet(trend + soon, labels, evidence)
        when = laid.time(-1) + timedelta(days=in_days)
        sentence = f"{trend}: it reaches {quantity(limit, unit)} in {in_days:.0f} days, on {when:%Y-%m-%d}"
        return self.finding(sentence, labels, evidence)

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


def build(spec: RuleSpec, context: Context) -> Forecast:
    """The rule of a spec. Raises SettingsError."""
    return Forecast(spec, parameters(spec, Parameters), context)
