"""A customer's own query."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Reading, Sample, Span, hour, latest, sample
from anomaly_rules.collectors.clock import day_of, moments, naive
from anomaly_rules.collectors.database import Database, quote
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.settings import QuerySource
from opsctl.core.errors import OpsError
from opsctl.core.mariadb.connect import rows
from opsctl.core.rule import MetricId
from opsctl.core.words import counted


@dataclass(frozen=True)
class Query:
    """Runs one SELECT. `days_in` is the zone in which days are counted."""

    server: Database
    source: QuerySource
    days_in: str
    history_days: float = 120
    revise_days: float = 7

    @property
    def name(self) -> str:
        """The source."""
        return self.source.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metric of the settings: what was found now, or with times what happened in each period."""
        timed = self.source.timed
        return (
            Metric(
                id=MetricId(self.source.metric),
                title=self.source.name,
                cadence=Cadence.DAILY if self.source.every == "day" else Cadence.HOURLY,
                form="sum" if timed else "gauge",
                absent="zero" if timed else "unknown",
                labels=("label",),
                zone=self.days_in if self.source.every == "day" else "UTC",
            ),
        )

    def read(self, span: Span) -> Reading:
        """Run it. Raises OpsError for what the server refuses, and for rows of another form."""
        with self.server.connect() as connection:
            rows(connection, f"USE {quote(self.source.database)}")
            since = naive(span.since, ZoneInfo(self.source.stored_in))
            rows(connection, "SET @since = %s, @now = %s", since, naive(span.now, ZoneInfo(self.source.stored_in)))
            found = rows(connection, self.source.sql)
        width = 3 if self.source.timed else 2
        if any(len(row) not in {width, 1 if width == 2 else 3} for row in found):
            raise OpsError(
                f"the query of source '{self.name}' returns {len(found[0])} columns",
                hint="it has to return (value) or (label, value), with timed = true (time, label, value)",
            )
        nulls = sum(1 for row in found if row[-1] is None or (self.source.timed and row[0] is None))
        notes = [f"{counted(nulls, 'row')} with NULL left out"] if nulls else []
        return Reading(tuple(self._samples(found, span)), span.now, tuple(notes))

    def _samples(self, found: tuple[tuple[Any, ...], ...], span: Span) -> Iterator[Sample]:
        metric = self.metrics[0]
        sums: dict[tuple[datetime, str], float] = {}
        for row in found:
            value, label = self._number(row[-1]), str(row[-2]) if len(row) > 1 else ""
            if value is None or (self.source.timed and row[0] is None):
                continue
            when = self._period(row[0]) if self.source.timed else latest(metric.cadence, span.now)
            sums[when, label] = sums.get((when, label), 0.0) + value
        for (when, label), value in sums.items():
            if not self.source.timed or (span.since <= when and metric.ends(when) <= span.now):
                yield sample(metric, when, value, **({"label": label} if label else {}))

    def _period(self, value: object) -> datetime:
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime.combine(value, time(), UTC)
        if not isinstance(value, datetime):
            raise OpsError(f"the first column of source '{self.name}' is no time, but {value!r}")
        moment = moments(value, ZoneInfo(self.source.stored_in))[0]
        return day_of(moment, ZoneInfo(self.days_in)) if self.source.every == "day" else hour(moment)

    def _number(self, value: object) -> float | None:
        if value is None:
            return None
        try:
            return float(str(value))
        except ValueError:
            raise OpsError(f"source '{self.name}' returns '{value}' where a number belongs") from None
