"""Kind `shift`: a lasting step, or a slow drift, too small for any single day to be odd (CUSUM, Page 1954).

The last three weeks are held against the nine before them. What each day is off by adds up, less an allowance: noise
and the model's own error vanish in it, a drift does not. Hourly series are judged by their days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import Field

from anomaly_rules.expected import Expected, expected_days
from anomaly_rules.grid import Grid, Values
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.metric import Cadence
from anomaly_rules.spec import RuleSpec
from anomaly_rules.statistics import daily, mean, median
from anomaly_rules.words import quantity
from opsctl.core.rule import Evidence, Labels, MetricId, Series, Verdict

WINDOW = 21
_CLIP_SIGMAS = 4.0


class Parameters(Params):
    """What `[rules.params]` of kind `shift` may say. The defaults suit most series."""

    direction: Literal["up", "down", "both"] = Field("both", description="Which side is a finding.")
    allowance: float = Field(0.06, ge=0, description="What a day may be off without adding up (share of expected).")
    allowance_sigmas: float = Field(0.75, ge=0, description="The same in standard deviations; the larger one holds.")
    limit: float = Field(0.3, gt=0, description="So much added up is a finding (share of a day).")
    limit_sigmas: float = Field(5.0, gt=0, description="The same in standard deviations; the larger one holds.")
    min_change: float = Field(0.12, ge=0, description="Smaller lasting changes never are (share of expected).")
    min_amount: float = Field(0.0, ge=0, description="Smaller lasting differences never are (the metric's unit).")


@dataclass(frozen=True)
class _Sum:
    """One side's sum: where it stands, on which day (index) it began, and the mean change since, as a share."""

    height: float
    limit: float
    first: int
    change: float


class Shift(EachSeries[Parameters]):
    """Off by a little, day after day."""

    @property
    def min_history_days(self) -> int:
        """Three weeks to judge and four before them."""
        return WINDOW + 28

    @property
    def reach_days(self) -> int:
        """Three weeks to judge and nine before them."""
        return WINDOW + 7 * 9 + 3

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge the last three weeks."""
        days = laid if laid.daily else _days(laid)
        found = expected_days(days, WINDOW + days.unsettled, self.context.holidays)
        if found is None:
            return self.too_young(len(days), labels)
        sides = {"up": (1.0,), "down": (-1.0,), "both": (1.0, -1.0)}[self.params.direction]
        sums = [(side, self._sum(found, side, days.unsettled)) for side in sides]
        side, highest = max(sums, key=lambda each: each[1].height / each[1].limit)
        since = days.time(highest.first - len(found.values))
        lately = slice(min(highest.first, WINDOW - 1), WINDOW)
        value, expected = mean(found.values[lately]), mean(found.expected[lately])
        fires = highest.height > highest.limit and self._matters(found, highest, side)
        evidence = Evidence(
            value=value,
            expected=expected,
            since=since if fires else None,
            size=max(1.0, abs(highest.change) / max(self.params.min_change, 1e-9)),
            recent=days.recent(60),
        )
        unit = self.metric.unit
        sentence = f"{self.metric.title} is {quantity(value, unit)} on average since {since:%Y-%m-%d}"
        if not fires:
            return self.quiet(f"{self.metric.title} is where its last weeks were", labels, evidence)
        word = "above" if side > 0 else "below"
        return self.finding(
            f"{sentence}, {abs(highest.change) * 100:.0f} % {word} the {quantity(expected, unit)} expected",
            labels,
            evidence,
        )

    def _sum(self, found: Expected, side: float, unsettled: int) -> _Sum:
        noise = found.sigma / found.size
        allowance = np.maximum(self.params.allowance, self.params.allowance_sigmas * noise)
        off = np.clip(side * found.change, -_CLIP_SIGMAS * noise, np.maximum(_CLIP_SIGMAS * noise, self.params.limit))
        off = np.where(np.isnan(off) | (found.edge & (off > 0)) | (found.rests & (side < 0)), 0.0, off)
        if unsettled and side < 0:
            off[-unsettled:] = allowance[-unsettled:]
        elif unsettled:
            off[-unsettled:] = np.maximum(off[-unsettled:], allowance[-unsettled:])
        height, first = 0.0, 0
        for index, step in enumerate((off - allowance).tolist()):
            if height <= 0.0:
                first = index
            height = max(0.0, height + step)
        limit = max(self.params.limit, self.params.limit_sigmas * float(np.median(noise)))
        lately = found.change[min(first, len(off) - 1 - unsettled) : len(off) - unsettled]
        return _Sum(height, limit, first, float(np.nan_to_num(median(lately))))

    def _matters(self, found: Expected, summed: _Sum, side: float) -> bool:
        amount = abs(summed.change) * float(np.median(found.size))
        return side * summed.change >= self.params.min_change and amount >= self.params.min_amount


def _days(laid: Grid) -> Grid:
    """The whole days of an hourly series: of sums their sum, of gauges their mean."""
    values: Values = daily(laid.first, laid.values, "sum" if laid.metric.form == "sum" else "mean")
    complete = (laid.first + len(laid)) % 24 == 0
    metric = laid.metric.model_copy(update={"cadence": Cadence.DAILY})
    return replace(
        laid,
        metric=metric,
        first=laid.first // 24,
        values=values if complete else values[:-1],
        unsettled=-(-laid.unsettled // 24),
    )


def build(spec: RuleSpec, context: Context) -> Shift:
    """The rule of a spec. Raises SettingsError."""
    return Shift(spec, parameters(spec, Parameters), context)
