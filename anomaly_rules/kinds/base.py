"""What kinds have in common: a rule that judges the series of a metric one by one."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import numpy as np

from anomaly_rules.grid import Grid, grid
from anomaly_rules.kinds import Context, Params
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.spec import RuleSpec
from anomaly_rules.words import labelled, moment
from opsctl.core.rule import Evidence, Judgement, Labels, MetricId, Series, SeriesId, Severity, Verdict

P = TypeVar("P", bound=Params)

NEWEST_DAYS = 3
NEWEST_HOURS = 6


class SpecRule(ABC, Generic[P]):
    """A Rule made of a spec and its checked parameters."""

    def __init__(self, spec: RuleSpec, params: P, context: Context) -> None:
        self.spec = spec
        self.params = params
        self.context = context
        self.metric: Metric = context.metrics[spec.metric]

    @property
    def id(self) -> str:
        """The spec's id."""
        return self.spec.id

    @property
    def question(self) -> str:
        """The spec's question."""
        return self.spec.question

    @property
    def severity(self) -> Severity:
        """The spec's severity."""
        return self.spec.severity

    @property
    def needs(self) -> tuple[MetricId, ...]:
        """The judged metric, then those that it is compared with."""
        return (self.spec.metric, *self.others())

    def others(self) -> tuple[MetricId, ...]:
        """Metrics that the judged one is compared with."""
        return ()

    @property
    def min_history_days(self) -> int:
        """Days of measurements without which it cannot judge."""
        return 0

    @property
    def reach_days(self) -> int:
        """Days of measurements that it looks back on at most."""
        return max(self.min_history_days, NEWEST_DAYS + 4)

    def grid_of(self, series: Series, at: datetime) -> Grid:
        """A series of the judged metric on its grid, no longer than the rule looks back."""
        since = at - timedelta(days=self.reach_days)
        skip = bisect_left(series.times, since)
        return grid(Series(series.times[skip:], series.values[skip:]), self.metric, at)

    def could_not(self, why: str, labels: Labels = ()) -> Verdict:
        """The verdict of a rule without enough data."""
        return Verdict(judgement=Judgement.COULD_NOT_JUDGE, sentence=labelled(labels) + why, labels=labels)

    def too_young(self, have_days: float, labels: Labels = ()) -> Verdict:
        """The verdict of a rule that needs more history."""
        why = f"there are {have_days:.0f} days of history, {self.min_history_days} are needed"
        return self.could_not(why, labels).model_copy(update={"learning": True})

    def quiet(self, sentence: str, labels: Labels, evidence: Evidence) -> Verdict:
        """The verdict on what is as it should be."""
        return Verdict(
            judgement=Judgement.QUIET, sentence=labelled(labels) + sentence, labels=labels, evidence=evidence
        )

    def finding(self, sentence: str, labels: Labels, evidence: Evidence) -> Verdict:
        """The verdict on what is not."""
        return Verdict(
            judgement=Judgement.FINDING, sentence=labelled(labels) + sentence, labels=labels, evidence=evidence
        )

    @abstractmethod
    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        """Judge what was known at a time."""


class EachSeries(SpecRule[P]):
    """Judges each label set of its metric by itself."""

    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        """One verdict for each label set; one that says so when nothing was measured."""
        own = sorted((key, found) for key, found in series.items() if key.metric == self.spec.metric and found.times)
        if not own:
            return (self.could_not(f"nothing was ever measured of {self.metric.title}"),)
        return tuple(self._judge_one(key.labels, found, series, at) for key, found in own)

    def _judge_one(self, labels: Labels, found: Series, series: Mapping[SeriesId, Series], at: datetime) -> Verdict:
        laid = self.grid_of(found, at)
        if not len(laid) and found.times[0] <= at and found.times[-1] > at - self.newest - self.metric.cadence.step:
            return self.too_young(0, labels)
        if not len(laid):
            return self.could_not(f"nothing was measured of {self.metric.title} lately", labels)
        age = at - self.metric.ends(laid.time(-1))
        if age > self.newest:
            return self.could_not(f"nothing was measured of {self.metric.title} since {moment(at - age)}", labels)
        known = int(np.count_nonzero(~np.isnan(laid.values)))
        per_day = 1 if laid.daily else 24
        if known < self.min_history_days * per_day * self.coverage:
            return self.too_young(known / per_day, labels)
        return self.judge(laid, labels, self._matching(labels, series), at)

    coverage = 0.7
    """The share of the minimum history that has to be there: some days are always missing."""

    @property
    def newest(self) -> timedelta:
        """How old the newest value may be (from its period's end) to say something about now."""
        return timedelta(days=NEWEST_DAYS) if self.metric.cadence is Cadence.DAILY else timedelta(hours=NEWEST_HOURS)

    def _matching(self, labels: Labels, series: Mapping[SeriesId, Series]) -> Mapping[MetricId, Series]:
        """The series of the other metrics with the same labels, else the one without labels."""
        found = {}
        for metric in self.others():
            other = series.get(SeriesId(metric, labels)) or series.get(SeriesId(metric))
            if other is not None:
                found[metric] = other
        return found

    @abstractmethod
    def judge(self, laid: Grid, labels: Labels, others: Mapping[MetricId, Series], at: datetime) -> Verdict:
        """Judge one series; it has a fresh value and enough history."""
