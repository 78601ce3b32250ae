"""What a bill comes to: sums of money by day and service, never across currencies."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Reading, Sample, Span, latest, sample
from anomaly_rules.collectors.clock import day_of
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.rule import MetricId
from opsctl.core.words import counted

HISTORY_DAYS = 400
REVISE_DAYS = 14
"""Clouds correct what they billed for days after; what is older than this they correct by entries of later days."""

NO_SERVICE = "(none)"


@dataclass(frozen=True)
class Metrics:
    """The metrics of one bill: days in its zone, and how long they grow."""

    zone: str
    settle_days: float

    @property
    def total(self) -> Metric:
        """Cost of a day."""
        return self._metric("cost.daily", "cost of a day", ("currency", "source"))

    @property
    def service(self) -> Metric:
        """Cost of a day by service."""
        return self._metric("cost.service", "cost of a service in a day", ("currency", "service", "source"))

    def _metric(self, name: str, title: str, names: tuple[str, ...]) -> Metric:
        return Metric(
            id=MetricId(name),
            title=title,
            cadence=Cadence.DAILY,
            absent="zero",
            labels=names,
            settle_days=self.settle_days,
            zone=self.zone,
        )


BUDGET = Metric(
    id=MetricId("cost.budget"),
    title="budget of a month",
    cadence=Cadence.DAILY,
    form="gauge",
    labels=("currency", "source"),
)
EXPORT_AGE = Metric(
    id=MetricId("cost.export_days"),
    title="days since a bill was last exported",
    cadence=Cadence.HOURLY,
    form="gauge",
    unit="days",
    labels=("source",),
)


@dataclass(frozen=True)
class Item:
    """Something billed: the day it belongs to (00:00 UTC of its date), for what, and how much; credits are negative."""

    day: datetime
    service: str
    currency: str
    amount: float


@dataclass(frozen=True)
class Bill:
    """What was read of a bill, and when it was last written (UTC)."""

    items: Iterable[Item]
    written: datetime


def reading(source: str, bill: Bill, metrics: Metrics, budget: float | None, span: Span) -> Reading:
    """Sums by day. Days before the one in which the bill was last written have nothing where no item is."""
    read_until = min(bill.written, span.now)
    until = day_of(read_until, ZoneInfo(metrics.zone))
    sums: dict[tuple[datetime, str, str], float] = defaultdict(float)
    for item in bill.items:
        if span.since <= item.day < until:
            sums[item.day, item.currency, item.service or NO_SERVICE] += item.amount
    totals: dict[tuple[datetime, str], float] = defaultdict(float)
    samples: list[Sample] = []
    for (day, currency, service), amount in sums.items():
        totals[day, currency] += amount
        samples.append(sample(metrics.service, day, amount, source=source, currency=currency, service=service))
    samples += [sample(metrics.total, day, sum_, source=source, currency=name) for (day, name), sum_ in totals.items()]
    age = max(0.0, (span.now - bill.written) / timedelta(days=1))
    samples.append(sample(EXPORT_AGE, latest(Cadence.HOURLY, span.now), age, source=source))
    currencies = sorted({currency for _, currency in totals})
    if budget is not None and len(currencies) == 1:
        when = latest(Cadence.DAILY, span.now)
        samples.append(sample(BUDGET, when, budget, source=source, currency=currencies[0]))
    notes = tuple(_notes(totals, currencies, budget))
    return Reading(tuple(samples), read_until, notes)


def _notes(totals: dict[tuple[datetime, str], float], currencies: list[str], budget: float | None) -> Iterator[str]:
    if len(currencies) > 1:
        yield f"amounts in {', '.join(currencies)} are kept apart"
        if budget is not None:
            yield "a bill in several currencies has no budget"
    negative = sum(1 for amount in totals.values() if amount < 0)
    if negative:
        yield f"{counted(negative, 'day')} with more credit than cost"
