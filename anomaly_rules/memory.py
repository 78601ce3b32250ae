"""Samples that were given rather than collected: a CSV file's, or a test's."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from anomaly_rules.metric import Metric
from anomaly_rules.samples import Source, SourceStatus
from opsctl.core.rule import Labels, MetricId, Series


@dataclass(frozen=True)
class GivenSamples:
    """One metric's series, all of them known from the moment on at which their periods ended."""

    metric: Metric
    found: Mapping[Labels, Series]

    def metrics(self) -> Mapping[MetricId, Metric]:
        """The one metric."""
        return {self.metric.id: self.metric}

    def series(self, metric: MetricId, *, since: datetime, at: datetime) -> Mapping[Labels, Series]:
        """The part of each series that began at or after `since` and had ended at `at`."""
        parts = {}
        for labels, series in self.found.items() if metric == self.metric.id else ():
            first, last = bisect_left(series.times, since), bisect_right(series.times, at - self.metric.cadence.step)
            parts[labels] = Series(series.times[first:last], series.values[first:last])
        return {labels: part for labels, part in parts.items() if part.times}

    def source(self, metric: MetricId, *, at: datetime) -> Source:
        """What is given can be read."""
        return Source("given samples", SourceStatus.OK, None, at)
