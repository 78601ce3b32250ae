"""Kind `flatline`: next to nothing where there is always something.

A day below a small share of what its weekday has is judged at once, also while its value may still grow: late data
never keep nearly everything back. An hourly series is judged by the chance of its silence, as kind `gap` does.
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from pydantic import Field

from anomaly_rules.expected import Expected, expected_days
from anomaly_rules.grid import Grid
from anomaly_rules.kinds import Context, Params, gap, parameters
from anomaly_rules.kinds.base import EachSeries
from anomaly_rules.metric import Cadence
from anomaly_rules.spec import RuleSpec
from anomaly_rules.statistics import median, trailing
from anomaly_rules.words import day_or_hour, quantity
from opsctl.core.rule import Evidence, Labels, MetricId, Rule, Series, Verdict

TAIL = 14


class Parameters(Params):
    """What `[rules.params]` of kind `flatline` may say."""

    share: float = Field(
        0.05, gt=0, lt=0.5, description="Less than this share of the expected value is next to nothing."
    )
    chance: float = Field(
        0.01, gt=0, lt=0.5, description="A run of such days has to be less likely, by how often there were any."
    )
    hourly_chance: float = Field(1e-3, gt=0, lt=0.1, description="The same for a silence of an hourly series.")
    min_expected: float = Field(0.0, ge=0, description="Where less than this is expected nothing is missed.")


class Flatline(EachSeries[Parameters]):
    """Daily values next to nothing."""

    @property
    def min_history_days(self) -> int:
        """Three weeks of rhythm before the two that are judged."""
        return 35

    @property
    def reach_days(self) -> int:
        """Nine weeks before the two that are judged."""
        return TAIL + 63 + 4

    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge the run of days next to nothing that ends with the newest."""
        found = expected_days(laid, TAIL, frozenset())
        if found is None:
            return self.too_young(len(laid), labels)
        low = self.params.share * found.expected
        run = self._run(laid, found)
        expected = float(found.expected[-1])
        evidence = Evidence(
            value=float(found.values[-1]),
            expected=expected,
            low=float(low[-1]),
            since=laid.time(-run) if run else None,
            size=float(max(run, 1)),
            recent=laid.recent(),
        )
        title, unit = self.metric.title, self.metric.unit
        newest = day_or_hour(laid.time(-1), daily=True)
        value = (
            f"{title} on {newest} was {quantity(float(found.values[-1]), unit)}, expected {quantity(expected, unit)}"
        )
        if not run or self._chance(laid, found, run) > self.params.chance:
            return self.quiet(value, labels, evidence)
        since = f", and next to nothing since {laid.time(-run):%Y-%m-%d}" if run > 1 else ""
        return self.finding(value + since, labels, evidence)

    def _run(self, laid: Grid, found: Expected) -> int:
        """How many days next to nothing end with the newest; days of which nothing is expected do not begin it."""
        nothing = found.values <= self.params.share * np.maximum(found.expected, 0.0)
        awaited = np.flatnonzero(found.expected > self.params.min_expected)
        run = trailing(nothing)
        if run == TAIL:
            return TAIL + trailing(laid.values[:-TAIL] <= self.params.share * median(found.expected))
        first = awaited[awaited >= TAIL - run]
        return TAIL - int(first[0]) if len(first) else 0

    def _chance(self, laid: Grid, found: Expected, run: int) -> float:
        """How likely so many days next to nothing are, by how many there were on such weekdays before.

        Weekdays that never had one lend each other their number of days. 1 where the history had as long a run.
        """
        before = laid.values[: len(laid) - run]
        before = before[len(before) % 7 :] if len(before) >= 7 else before
        weekdays = len(before) // 7
        usual = np.resize(np.roll(found.expected[-7:], run), len(before))
        none = (before <= self.params.share * usual) & ~np.isnan(before)
        longest = _longest(none.tolist())
        if longest >= run:
            return 1.0
        counts = none.reshape(weekdays, 7).sum(axis=0)
        always = int(np.count_nonzero(counts == 0)) * weekdays
        chances = np.where(counts > 0, (counts + 0.5) / (weekdays + 1.0), 0.5 / (always + 1.0))
        return float(np.prod(chances[np.arange(run) % 7]))


def _longest(flags: list[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def build(spec: RuleSpec, context: Context) -> Rule:
    """The rule of a spec: of an hourly metric one that judges silence. Raises SettingsError."""
    params = parameters(spec, Parameters)
    if context.metrics[spec.metric].cadence is Cadence.DAILY:
        return Flatline(spec, params, context)
    return gap.Gap(spec, gap.Parameters(chance=params.hourly_chance, share=params.share), context)
