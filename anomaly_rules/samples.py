"""Samples as rules read them: what was known of each series at a time, and how its source was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from anomaly_rules.metric import Metric
from opsctl.core.rule import Labels, MetricId, Series


class SourceStatus(StrEnum):
    """How the source of a metric was at its last collection."""

    OK = "ok"
    UNREADABLE = "unreadable"
    STALE = "stale"
    """It was read, and it or its collection has not moved for longer than it should."""


@dataclass(frozen=True)
class Source:
    """The state of what a metric is read from.

    `why` says what is wrong, in a sentence's end ("table crm_cards has no column stage"). Everything that began before
    `read_until` (UTC) has been read: a period before it without a sample had nothing.
    """

    name: str
    status: SourceStatus
    why: str | None = None
    read_until: datetime | None = None


class Samples(Protocol):
    """Where rules find what was measured. Reading changes nothing."""

    def metrics(self) -> Mapping[MetricId, Metric]:
        """All metrics that the settings and what is installed here provide."""
        ...

    def series(self, metric: MetricId, *, since: datetime, at: datetime) -> Mapping[Labels, Series]:
        """Every series of a metric with what was known of it at `at`: periods that began in [since, at].

        A sample that was revised later than `at` has the value it had then. NaN and missing periods are left out.
        """
        ...

    def source(self, metric: MetricId, *, at: datetime) -> Source:
        """How the metric's source was at a time."""
        ...
