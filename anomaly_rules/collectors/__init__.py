"""Collectors: each reads one source and says what was measured there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from anomaly_rules.metric import Cadence, Metric
from opsctl.core.rule import Labels, MetricId, SeriesId


@dataclass(frozen=True)
class Sample:
    """One value of one series. `time` is the beginning of its period, as `Metric` has it."""

    series: SeriesId
    time: datetime
    value: float


@dataclass(frozen=True)
class Span:
    """What a collector is asked for: sums of the periods that began at or after `since`, and what is so `now` (UTC).

    `memory` is what its last good reading, at `last`, wanted to be remembered: counters, to see what was added since.
    """

    since: datetime
    now: datetime
    last: datetime | None = None
    memory: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What a collector found. `notes` say what was left out or looks wrong, each a sentence's end.

    Sums of all periods that began in [span.since, `read_until`) are in it, or there was nothing in them.
    """

    samples: tuple[Sample, ...]
    read_until: datetime
    notes: tuple[str, ...] = ()
    memory: Mapping[str, float] = field(default_factory=dict)


class Collector(Protocol):
    """Reads one source. Whatever keeps it from reading is an OpsError."""

    @property
    def name(self) -> str:
        """The source as people know it: `crm leads`, `disks`. Unique among all."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        ...

    @property
    def history_days(self) -> float:
        """How far back its first reading goes, and how far a missed time is filled in."""
        ...

    @property
    def revise_days(self) -> float:
        """How many days before the last reading are read again, for what came late."""
        ...

    def read(self, span: Span) -> Reading:
        """Read. Raises OpsError that says what cannot be read."""
        ...


def labels(**named: str) -> Labels:
    """Labels by name, sorted."""
    return tuple(sorted(named.items()))


def sample(metric: Metric | MetricId, time: datetime, value: float, **named: str) -> Sample:
    """One value of the series with these labels."""
    name = metric.id if isinstance(metric, Metric) else metric
    return Sample(SeriesId(name, labels(**named)), time, float(value))


def hour(moment: datetime) -> datetime:
    """The beginning of its hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def latest(cadence: Cadence, now: datetime) -> datetime:
    """The time under which what is found now is kept: the beginning of the hour, or of the day (UTC)."""
    return hour(now) if cadence is Cadence.HOURLY else hour(now).replace(hour=0)


def gauges(span: Span, found: Iterable[tuple[Metric, float, Labels]], notes: Iterable[str] = ()) -> Reading:
    """A reading of what is so now: each value under the hour or day that it is."""
    samples = tuple(
        Sample(SeriesId(metric.id, named), latest(metric.cadence, span.now), float(value))
        for metric, value, named in found
    )
    return Reading(samples, span.now, tuple(notes))
