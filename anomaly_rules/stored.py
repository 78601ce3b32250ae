"""Samples as rules read them, from the store that `anomalies collect` fills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Collector, hour
from anomaly_rules.collectors.clock import day_of
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.samples import Source, SourceStatus
from anomaly_rules.store import SampleStore
from opsctl.core.clock import iso
from opsctl.core.rule import Labels, MetricId, Series

STALE_AFTER = timedelta(hours=26)
"""Collection runs at least daily; an hour or two later it has not run."""

_WORST = (SourceStatus.OK, SourceStatus.STALE, SourceStatus.UNREADABLE)
_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StoredSamples:
    """What the collectors of the settings have measured. What others once measured is not looked at."""

    store: SampleStore
    collectors: Sequence[Collector]

    @cached_property
    def _metrics(self) -> Mapping[MetricId, Metric]:
        """By name; where two sources differ, the one whose days end later and settle later."""
        found: dict[MetricId, Metric] = {}
        for collector in self.collectors:
            for metric in collector.metrics:
                known = found.setdefault(metric.id, metric)
                found[metric.id] = max(known, metric, key=lambda each: (each.settle_days, each.ends(_DAY)))
        return found

    def metrics(self) -> Mapping[MetricId, Metric]:
        """All metrics that the settings provide."""
        return self._metrics

    def series(self, metric: MetricId, *, since: datetime, at: datetime) -> Mapping[Labels, Series]:
        """Every series of a metric with what was known of it at `at`: periods that began in [since, at]."""
        found: dict[Labels, Series] = {}
        for collector in self._of(metric):
            found |= dict(self.store.series(collector.name, metric, since=since, at=at))
        return found

    def source(self, metric: MetricId, *, at: datetime) -> Source:
        """How the metric's source was at a time; of several, the worst, and what was read of all of them."""
        states = [self._state(collector, self._metrics[metric], at) for collector in self._of(metric)]
        worst = max(states, key=lambda state: _WORST.index(state.status))
        known = [state.read_until for state in states]
        until = None if None in known else min(time for time in known if time is not None)
        return Source(worst.name, worst.status, worst.why, until)

    def _of(self, metric: MetricId) -> list[Collector]:
        return [each for each in self.collectors if metric in {provided.id for provided in each.metrics}]

    def _state(self, collector: Collector, metric: Metric, at: datetime) -> Source:
        read = self.store.last_reading(collector.name, at)
        if read is None:
            return Source(collector.name, SourceStatus.STALE, "nothing was collected yet: opsctl anomalies collect")
        until = None if read.read_until is None else _whole_periods(metric, read.read_until)
        if read.why is not None:
            return Source(collector.name, SourceStatus.UNREADABLE, read.why, until)
        if read.at < at - STALE_AFTER:
            why = f"nothing was collected since {iso(hour(read.at))}: opsctl anomalies collect"
            return Source(collector.name, SourceStatus.STALE, why, until)
        return Source(collector.name, SourceStatus.OK, None, until)


def _whole_periods(metric: Metric, until: datetime) -> datetime:
    """The beginning of the period in which reading ended: of that one, not all was read."""
    if metric.cadence is Cadence.HOURLY:
        return hour(until)
    return day_of(until, ZoneInfo(metric.zone))
