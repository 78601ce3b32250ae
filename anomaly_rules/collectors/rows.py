"""Tables that grow: how many rows came each hour and day, and rows whose time has not come yet."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Reading, Sample, Span, hour, latest, sample
from anomaly_rules.collectors.clock import begins, day_of, moments, naive
from anomaly_rules.collectors.database import Database, Table, TimeColumn, quote, table
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.clock import SKEW
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.rule import MetricId
from opsctl.core.words import counted

HOURLY = Metric(
    id=MetricId("rows.hourly"),
    title="rows that came in an hour",
    cadence=Cadence.HOURLY,
    unit="rows",
    absent="zero",
    labels=("label", "table"),
)
DAILY = Metric(
    id=MetricId("rows.daily"),
    title="rows that came in a day",
    cadence=Cadence.DAILY,
    unit="rows",
    absent="zero",
    labels=("label", "table"),
)
FUTURE = Metric(
    id=MetricId("rows.future"),
    title="the number of rows from the future",
    cadence=Cadence.HOURLY,
    form="gauge",
    labels=("table",),
)

# Zones differ from UTC by multiples of 15 minutes, so that quarters make up the hours of every zone.
_QUARTER = "CONCAT(DATE_FORMAT({0}, '%%Y-%%m-%%d %%H:'), LPAD(MINUTE({0}) DIV 15 * 15, 2, '0'))"
_DAY = "DATE_FORMAT({0}, '%%Y-%%m-%%d 00:00')"


@dataclass(frozen=True)
class RowCounts:
    """Counts the rows of one table by the time in one of its columns.

    `title` names the table in series; `where` is a condition in SQL, `label` a column by which rows are told apart,
    `zone` that in which DATETIMEs are stored, `days_in` the one in which days are counted.
    """

    server: Database
    source: str
    title: str
    database: str
    table: str
    time: str
    zone: str = "UTC"
    days_in: str = "UTC"
    where: str = ""
    label: str = ""
    history_days: float = 120
    revise_days: float = 7

    @property
    def name(self) -> str:
        """The source and its table."""
        return f"{self.source}: {self.title}"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Rows by hour and by day, and from the future."""
        return (HOURLY, DAILY.model_copy(update={"zone": self.days_in}), FUTURE)

    def read(self, span: Span) -> Reading:
        """Count. Raises OpsError that names the table or column that is not there."""
        needed = [self.time, *([self.label] if self.label else [])]
        with self.server.connect() as connection:
            found = table(connection, self.database, self.table, needed)
            column = found.time(self.time, self.zone)
            counted_rows = self._counts(connection, found, column, span)
            notes = tuple(self._undated(connection, found, column))
            future = self._future(connection, found, column, span.now)
        samples = [*self._hours_and_days(counted_rows, column, span), future]
        # A table to which nothing was ever written has its series as well.
        there = {each.series.metric for each in samples}
        samples += [self._sample(metric, span.since, 0, None) for metric in (HOURLY, DAILY) if metric.id not in there]
        return Reading(tuple(samples), hour(span.now), notes)

    def _counts(
        self, connection: Connection, found: Table, column: TimeColumn, span: Span
    ) -> tuple[tuple[str, str | None, int], ...]:
        stored = ZoneInfo(column.zone)
        # From the beginning of a day, wherever days are counted; clocks that are set back repeat what is before.
        begin = naive(begins(naive(span.since, ZoneInfo(self.days_in)).date(), ZoneInfo(self.days_in)), stored)
        grouping = (_DAY if column.column.kind == "date" else _QUARTER).format(column.sql)
        label = f"CAST({quote(self.label)} AS CHAR)" if self.label else "NULL"
        return rows(
            connection,
            f"SELECT {grouping}, {label}, COUNT(*) FROM {found.quoted} "  # noqa: S608 - names are quoted
            f"WHERE {column.sql} >= %s AND {column.sql} < %s {self._condition} GROUP BY 1, 2",
            begin - timedelta(hours=1),
            naive(span.now, stored) + timedelta(hours=1),
        )

    @property
    def _condition(self) -> str:
        return f"AND ({self.where.replace('%', '%%')})" if self.where else ""

    def _hours_and_days(
        self, counts: tuple[tuple[str, str | None, int], ...], column: TimeColumn, span: Span
    ) -> Iterator[Sample]:
        """Rows of an hour that came twice are spread evenly over both: which of them they came in is not stored."""
        stored, days_in = ZoneInfo(column.zone), ZoneInfo(self.days_in)
        is_date = column.column.kind == "date"
        hours: Counter[tuple[datetime, str | None]] = Counter()
        days: Counter[tuple[datetime, str | None]] = Counter()
        for text, label, count in counts:
            local = datetime.fromisoformat(text)
            if is_date:
                days[local.replace(tzinfo=span.now.tzinfo), label] += count
                continue
            at = moments(local, stored)
            for moment in at:
                hours[hour(moment), label] += count / len(at)  # type: ignore[assignment]
                days[day_of(moment, days_in), label] += count / len(at)  # type: ignore[assignment]
        today = day_of(span.now, days_in)
        for (time, label), value in hours.items():
            if span.since <= time < hour(span.now):
                yield self._sample(HOURLY, time, value, label)
        for (time, label), value in days.items():
            if span.since <= time < today:
                yield self._sample(DAILY, time, value, label)

    def _sample(self, metric: Metric, time: datetime, value: float, label: str | None) -> Sample:
        named = {"label": "(none)" if label is None else label} if self.label else {}
        return sample(metric, time, value, table=f"{self.source}.{self.title}", **named)

    def _undated(self, connection: Connection, found: Table, column: TimeColumn) -> Iterator[str]:
        if column.column.nullable:
            name = quote(column.column.name)
            statement = f"SELECT COUNT(*) FROM {found.quoted} WHERE {name} IS NULL {self._condition}"  # noqa: S608
            if (count := rows(connection, statement.replace("%%", "%"))[0][0]) > 0:
                yield f"{counted(count, 'row')} of {self.table} without a time in {column.column.name}"

    def _future(self, connection: Connection, found: Table, column: TimeColumn, now: datetime) -> Sample:
        limit = naive(now + SKEW, ZoneInfo(column.zone))
        statement = f"SELECT COUNT(*) FROM {found.quoted} WHERE {column.sql} > %s {self._condition}"  # noqa: S608
        count = rows(connection, statement, limit)[0][0]
        return sample(FUTURE, latest(Cadence.HOURLY, now), count, table=f"{self.source}.{self.title}")
