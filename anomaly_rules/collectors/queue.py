"""Queues in the database: work that waits too long, and work that fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Reading, Span, gauges, labels
from anomaly_rules.collectors.clock import naive
from anomaly_rules.collectors.database import Database, Table, TimeColumn, number, table
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.settings import QueueSource
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.rule import MetricId

FEWEST = 5
"""Fewer attempts than this in a day say nothing about the share that fails."""


def _gauge(name: str, title: str, unit: str) -> Metric:
    return Metric(id=MetricId(name), title=title, cadence=Cadence.HOURLY, unit=unit, form="gauge", labels=("queue",))


WAITING = {
    "transcription": _gauge("transcription.oldest_hours", "age of the oldest recording that waits", "h"),
    "webhook": _gauge("webhook.oldest_hours", "age of the oldest webhook that waits", "h"),
}
FAILED = {
    "transcription": _gauge("transcription.failed_share", "share of a day's transcriptions that failed", ""),
    "webhook": _gauge("webhook.failed_share", "share of a day's webhooks that failed", ""),
}


@dataclass(frozen=True)
class Queue:
    """How old the oldest waiting row is, and what share of the last 24 hours' rows failed."""

    server: Database
    source: QueueSource
    history_days: float = 0
    revise_days: float = 0

    @property
    def name(self) -> str:
        """The source."""
        return self.source.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those whose condition is in the settings."""
        use = self.source.use
        return (*([WAITING[use]] if self.source.waiting else []), *([FAILED[use]] if self.source.failed else []))

    def read(self, span: Span) -> Reading:
        """Look. Raises OpsError that names the table or column that is not there."""
        with self.server.connect() as connection:
            found = table(connection, self.source.database, self.source.table, [self.source.time])
            column = found.time(self.source.time, self.source.stored_in)
            values = [*self._oldest(connection, found, column, span), *self._failed(connection, found, column, span)]
        return gauges(span, ((metric, value, labels(queue=self.source.name)) for metric, value in values))

    def _oldest(
        self, connection: Connection, found: Table, column: TimeColumn, span: Span
    ) -> Iterator[tuple[Metric, float]]:
        if self.source.waiting:
            now = naive(span.now, ZoneInfo(column.zone))
            seconds = number(
                connection,
                f"SELECT TIMESTAMPDIFF(SECOND, MIN({column.sql}), %s) FROM {found.quoted} "  # noqa: S608
                f"WHERE ({_as_text(self.source.waiting)})",
                now,
            )
            yield WAITING[self.source.use], max(0.0, seconds / 3600)

    def _failed(
        self, connection: Connection, found: Table, column: TimeColumn, span: Span
    ) -> Iterator[tuple[Metric, float]]:
        if self.source.failed:
            now = naive(span.now, ZoneInfo(column.zone))
            ((tried, failed),) = rows(
                connection,
                f"SELECT COUNT(*), COALESCE(SUM({_as_text(self.source.failed)}), 0) FROM {found.quoted} "  # noqa: S608
                f"WHERE {column.sql} > %s AND {column.sql} <= %s",
                now - timedelta(days=1),
                now,
            )
            yield FAILED[self.source.use], float(failed) / tried if tried >= FEWEST else 0.0


def _as_text(condition: str) -> str:
    """A condition in a statement that has values."""
    return condition.replace("%", "%%")
