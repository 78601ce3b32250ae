"""Simulated years, judged by the engine and the life of findings as live: an alarm is a finding that opened."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from anomaly_rules.engine import Judged, judge
from anomaly_rules.findings import Event, Finding, FindingBody, advance, fold
from anomaly_rules.kinds import Context, build
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.samples import Source, SourceStatus
from anomaly_rules.spec import RuleSpec
from benchmarks import anomaly_series as made
from opsctl.core.rule import Labels, MetricId, Rule, Series, Severity

PROCESSES = 2


def rule(kind: str, metric: Metric, holidays: frozenset[date] = frozenset(), **params: Any) -> Rule:
    """A rule of a kind with its defaults."""
    words = {"question": "Is it?", "severity": Severity.WARNING, "reason": "a benchmark", "act": "none"}
    spec = RuleSpec(id=kind, kind=kind, metric=metric.id, params=params, **words)  # type: ignore[arg-type]
    return build(spec, Context({metric.id: metric}, holidays))


@dataclass(frozen=True)
class Years:
    """Samples of one metric; `known[d, k]` is the share of a value that is known k + 1 periods after it began."""

    metric: Metric
    first: datetime
    found: Mapping[Labels, made.Values]
    known: made.Values | None = None

    def metrics(self) -> Mapping[MetricId, Metric]:
        """The one metric."""
        return {self.metric.id: self.metric}

    def source(self, metric: MetricId, *, at: datetime) -> Source:
        """It can always be read."""
        return Source("simulated", SourceStatus.OK, None, at)

    def series(self, metric: MetricId, *, since: datetime, at: datetime) -> Mapping[Labels, Series]:
        """What was known at a time."""
        step = self.metric.cadence.step
        end = (at - self.first) // step
        begin = max(0, (since - self.first) // step)
        times = _times(self.first, step)[begin:end]
        return {labels: self._series(values, times, begin, end) for labels, values in self.found.items()}

    def _series(self, values: made.Values, times: tuple[datetime, ...], begin: int, end: int) -> Series:
        part = values[begin:end].copy()
        if self.known is not None:
            for age in range(min(4, len(part))):
                part[-1 - age] *= self.known[end - 1 - age, age]
        if self.metric.absent == "zero":  # an export has no line for a service that cost nothing
            kept = np.flatnonzero(part)
            return Series(tuple(times[index] for index in kept), tuple(part[kept].tolist()))
        return Series(times, tuple(part.tolist()))


@lru_cache(maxsize=4)
def _times(first: datetime, step: timedelta) -> tuple[datetime, ...]:
    """The beginnings of all periods that any series here has."""
    return tuple(first + number * step for number in range(made.HOURS))


def opened(rules: tuple[Rule, ...], samples: Years, periods: Iterable[int]) -> list[tuple[int, FindingBody]]:
    """The findings that open when each of these periods has ended, with the period."""
    step = samples.metric.cadence.step
    later = timedelta(hours=6) if samples.metric.cadence is Cadence.DAILY else timedelta()
    known: dict[str, Finding] = {}
    alarms = []
    for period in periods:
        at = samples.first + (period + 1) * step + later
        answers: tuple[Judged, ...] = judge(rules, samples, at)[:-1]
        events = list(advance(known, answers, {}, at))
        known = fold(((at, body) for body in events), known) if events else known
        alarms += [(period, body) for body in events if body.event is Event.OPENED]
    return alarms


def beginning(first: date) -> datetime:
    """The beginning of a day, UTC."""
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


def in_processes(work: Callable[[int], Any], number: int) -> list[Any]:
    """Do it for each seed, in as many processes as there are cores."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        return list(pool.map(work, range(number), chunksize=4))
