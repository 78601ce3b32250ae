"""Kind `outlier`: a value far from what its weekday, or its hour of the week, usually has.

Daily: median and MAD of the same weekday with growth, month's edges and holidays; one value that is very far, or two of
three that are far on the same side. Hourly: two of three votes (anomaly_rules/votes.py).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import Field

from anomaly_rules.expected import Expected, expected_days
from anomaly_rules.grid import Flags, Grid
from anomaly_rules.kinds import Context, Params, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.spec import RuleSpec
from anomaly_rules.votes import Votes, votes
from anomaly_rules.words import day_or_hour, quantity
from opsctl.core.rule import Evidence, Labels, MetricId, Series, Verdict

PERSISTENCE = 3


class Parameters(Params):
    """What `[rules.params]` of kind `outlier` may say. The defaults suit most series."""

    direction: Literal["up", "down", "both"] = Field("both", description="Which side is a finding.")
    sigmas: float = Field(3.5, gt=0, description="Two of three values so many standard deviations away are a finding.")
    far_sigmas: float = Field(6.0, gt=0, description="So is a single one this far away.")
    min_change: float = Field(0.2, ge=0, description="Smaller changes never are (share of the expected value).")
    far_change: float = Field(0.4, ge=0, description="The same for a single value.")
    min_amount: float = Field(0.0, ge=0, description="Smaller differences never are (the metric's unit).")
    min_history_days: int | None = Field(None, ge=3, description="By default 28 days; of hourly series 4.")


class Outlier(EachSeries[Parameters]):
    """Far from its own rhythm."""

    @property
    def min_history_days(self) -> int:
        """Four of each weekday; an hourly rhythm shows after days."""
        return self.params.min_history_days or (28 if self.metric.cadence == "daily" else 4)

    @property
    def reach_days(self) -> int:
        """Nine weeks of a daily series and what is judged; six of an hourly one."""
        return max(self.min_history_days, 72 if self.metric.cadence == "daily" else 66)

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge the newest values."""
        return self._judge_days(laid, labels) if laid.daily else self._judge_hours(laid, labels)

    def _judge_days(self, laid: Grid, labels: Labels) -> Verdict:
        tail = PERSISTENCE + laid.unsettled
        found = expected_days(laid, tail, self.context.holidays)
        if found is None:
            return self.too_young(len(laid), labels)
        change, z = found.change, found.z
        enough = np.abs(found.values - found.expected) >= self.params.min_amount
        sides = []
        if self.params.direction != "down":
            sides.append((z, change, np.ones(tail, dtype=bool), slice(-PERSISTENCE, None)))
        if self.params.direction != "up":
            # What may still grow, at the end, cannot be too low yet; and a day off may be low.
            sides.append((-z, -change, ~found.rests, slice(0, PERSISTENCE)))
        for away, by, counts, window in sides:
            with np.errstate(invalid="ignore"):
                far = counts & enough & (away >= self.params.far_sigmas) & (by >= self.params.far_change)
                near = counts & enough & (away >= self.params.sigmas) & (by >= self.params.min_change)
            index = _fired(far, near, window)
            if index is not None:
                return self._found(laid, found, labels, index, _first(near | far, window))
        return self.quiet(self._sentence(laid, found, tail - 1), labels, self._evidence(laid, found, tail - 1, None))

    def _found(self, laid: Grid, found: Expected, labels: Labels, index: int, first: int) -> Verdict:
        sentence = self._sentence(laid, found, index)
        how_far = f"{abs(float(found.z[index])):.1f} times its usual deviation"
        return self.finding(f"{sentence}: {how_far}", labels, self._evidence(laid, found, index, first))

    def _sentence(self, laid: Grid, found: Expected, index: int) -> str:
        time = laid.time(index - len(found.values))
        value, expected = (quantity(float(each[index]), self.metric.unit) for each in (found.values, found.expected))
        return f"{self.metric.title} on {day_or_hour(time, laid.daily)} was {value}, expected {expected}"

    def _evidence(self, laid: Grid, found: Expected, index: int, first: int | None) -> Evidence:
        expected, sigma = float(found.expected[index]), float(found.sigma[index])
        room = max(self.params.sigmas * sigma, self.params.min_change * float(found.size[index]))
        return Evidence(
            value=float(found.values[index]),
            expected=expected,
            low=expected - room,
            high=expected + room,
            since=None if first is None else laid.time(first - len(found.values)),
            size=max(1.0, abs(float(found.change[index])) / max(self.params.min_change, 1e-9)),
            recent=laid.recent(),
        )

    def _judge_hours(self, laid: Grid, labels: Labels) -> Verdict:
        voted: Votes | None = votes(laid, self.context.holidays, self.params.direction)
        if voted is None:
            return self.too_young(len(laid) / 24, labels)
        value, expected = (quantity(each, self.metric.unit) for each in (voted.value, voted.expected))
        evidence = Evidence(
            value=voted.value,
            expected=voted.expected,
            low=voted.low,
            high=voted.high,
            since=laid.time(-1) if voted.reasons else None,
            size=max(1.0, voted.size),
            recent=laid.recent(48),
        )
        sentence = f"{self.metric.title} at {day_or_hour(laid.time(-1), laid.daily)} was {value}, expected {expected}"
        small = abs(voted.value - voted.expected) < self.params.min_amount
        if not voted.reasons or small:
            return self.quiet(sentence, labels, evidence)
        return self.finding(f"{sentence}: {' and '.join(voted.reasons)}", labels, evidence)


def _first(beyond: Flags, window: slice) -> int:
    return int(np.flatnonzero(beyond[window])[0]) + window.indices(len(beyond))[0]


def _fired(far: Flags, near: Flags, window: slice) -> int | None:
    """The index to show: the newest that is very far, else the newest of two of three; None when neither is."""
    offset = window.indices(len(far))[0]
    newest = np.flatnonzero(far[window])
    if len(newest):
        return int(newest[-1]) + offset
    several = np.flatnonzero(near[window])
    return int(several[-1]) + offset if len(several) >= 2 else None


def build(spec: RuleSpec, context: Context) -> Outlier:
    """The rule of a spec. Raises SettingsError."""
    return Outlier(spec, parameters(spec, Parameters), context)
