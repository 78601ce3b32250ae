"""Kind `threshold`: a value, or a ratio of two metrics, above or below a limit."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import numpy as np
from pydantic import Field, model_validator

from anomaly_rules.grid import Grid, Values, grid
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.spec import RuleSpec
from anomaly_rules.statistics import trailing
from anomaly_rules.words import quantity
from opsctl.core.rule import Evidence, Labels, MetricId, Series, Verdict


class Parameters(Params):
    """What `[rules.params]` of kind `threshold` may say."""

    above: float | None = Field(None, description="Values above it are findings.")
    below: float | None = Field(None, description="Values below it are findings.")
    limit_metric: MetricId | None = Field(
        None, description="The limit is this metric's newest value, times `above` or `below`."
    )
    divide_by: MetricId | None = Field(None, description="Judge the ratio to this metric.")
    at_least: float = Field(0.0, description="Without so much of `divide_by` in the window no ratio is judged.")
    unit: str | None = Field(None, description="The unit of the ratio: share is shown as a percentage.")
    window: int = Field(1, ge=1, description="Periods judged together: sums are added up, of gauges the last counts.")
    times: int = Field(1, ge=1, description="So many periods in a row have to be beyond the limit.")

    @model_validator(mode="after")
    def _has_one_limit(self) -> "Parameters":
        if (self.above is None) == (self.below is None):
            raise ValueError("needs either `above` or `below`")
        return self


class Threshold(EachSeries[Parameters]):
    """Beyond a limit for some periods in a row."""

    def others(self) -> tuple[MetricId, ...]:
        """The denominator, and the metric that is the limit."""
        return tuple(metric for metric in (self.params.divide_by, self.params.limit_metric) if metric)

    @property
    def reach_days(self) -> int:
        """Enough for all windows, and for a sparkline."""
        periods = self.params.window + self.params.times + 30
        return max(8, periods if self.metric.cadence == "daily" else periods // 24 + 1)

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge the newest windows."""
        limit, values, why = self._limit(others, at), self._values(laid, others, at), None
        if limit is None:
            why = f"there is no limit: {self.params.limit_metric} was not measured"
        elif values is None:
            why = f"there is nothing to divide by: {self.params.divide_by} was not measured"
        if limit is None or values is None:
            return self.could_not(why or "", labels)
        upper = self.params.above is not None
        known = values[~np.isnan(values)]
        if not len(known):
            return self.quiet(f"too little of {self.params.divide_by} to judge", labels, Evidence(high=limit))
        newest = float(known[-1])
        beyond = known > limit if upper else known < limit
        run = trailing(beyond)
        first = int(np.flatnonzero(~np.isnan(values))[-run]) if run else 0
        evidence = Evidence(
            value=newest,
            expected=limit,
            high=limit if upper else None,
            low=None if upper else limit,
            since=laid.time(len(laid) - len(values) + first) if run else None,
            size=_size(newest, limit),
            recent=tuple(None if np.isnan(value) else float(value) for value in values[-30:]),
        )
        unit = (self.params.unit or "") if self.params.divide_by else self.metric.unit
        side = "above" if upper else "below"
        if run >= self.params.times:
            sentence = f"{self.metric.title} is {quantity(newest, unit)}, {side} the limit of {quantity(limit, unit)}"
            return self.finding(sentence, labels, evidence)
        return self.quiet(f"{self.metric.title} is {quantity(newest, unit)}", labels, evidence)

    def _limit(self, others: Mapping[MetricId, Series], at: datetime) -> float | None:
        factor = cast(float, self.params.above if self.params.above is not None else self.params.below)
        if self.params.limit_metric is None:
            return factor
        found = others.get(self.params.limit_metric)
        laid = grid(found, self.context.metrics[self.params.limit_metric], at) if found else None
        return float(laid.values[-1]) * factor if laid is not None and len(laid) else None

    def _values(self, laid: Grid, others: Mapping[MetricId, Series], at: datetime) -> Values | None:
        """The judged value of each period that has a whole window; None when the denominator was never measured."""
        own = self._windows(laid.values)
        if self.params.divide_by is None:
            return own
        found = others.get(self.params.divide_by)
        under = grid(found, self.context.metrics[self.params.divide_by], at) if found else None
        if under is None or not len(under):
            return None
        aligned = np.full(len(laid), np.nan)
        begin, end = max(laid.first, under.first), min(laid.first + len(laid), under.first + len(under))
        if begin < end:
            aligned[begin - laid.first : end - laid.first] = under.values[begin - under.first : end - under.first]
        divisor = self._windows(aligned)
        enough = (divisor >= max(self.params.at_least, 1e-12)) & ~np.isnan(divisor)
        return np.where(enough, own / np.where(enough, divisor, 1.0), np.nan)

    def _windows(self, values: Values) -> Values:
        if self.metric.form == "gauge" or self.params.window == 1:
            return values
        window = min(self.params.window, len(values))
        return np.convolve(np.nan_to_num(values), np.ones(window))[window - 1 : len(values)]


def _size(value: float, limit: float) -> float:
    """How far beyond: 1 at the limit, doubling with each doubling of the distance from it where the limit is not 0."""
    return 1.0 + abs(value - limit) / abs(limit) if limit else 1.0 + abs(value)


def build(spec: RuleSpec, context: Context) -> Threshold:
    """The rule of a spec. Raises SettingsError."""
    return Threshold(spec, parameters(spec, Parameters), context)
