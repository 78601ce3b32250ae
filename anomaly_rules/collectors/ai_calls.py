"""Logs of calls to models: how many, how many failed, what they cost."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from anomaly_rules.collectors import Reading, Span, hour, sample
from anomaly_rules.collectors.bill import Bill, Item, Metrics, reading
from anomaly_rules.collectors.clock import day_of, moments
from anomaly_rules.collectors.files import csv_rows, matching
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.settings import AiCalls
from opsctl.core.errors import OpsError
from opsctl.core.rule import MetricId
from opsctl.core.words import counted


def _sum(name: str, title: str) -> Metric:
    return Metric(
        id=MetricId(name), title=title, cadence=Cadence.HOURLY, absent="zero", unit="calls", labels=("source",)
    )


CALLS = _sum("ai.calls", "calls to a model")
ERRORS = _sum("ai.errors", "calls to a model that failed")


@dataclass(frozen=True)
class Call:
    """One call: when (UTC), of which model, whether it went well, its cost if that is known."""

    at: datetime
    model: str
    good: bool
    cost: float | None


@dataclass(frozen=True)
class CallLog:
    """Calls from CSV files."""

    source: AiCalls
    days_in: str
    history_days: float = 120
    revise_days: float = 3

    @property
    def name(self) -> str:
        """The source."""
        return self.source.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Calls and failures by the hour; cost by the day, where it is known."""
        costs = Metrics(self.days_in, 0)
        return (CALLS, ERRORS, *((costs.total, costs.service) if self.source.cost else ()))

    def read(self, span: Span) -> Reading:
        """Read. Raises OpsError that names the file and what is wrong in it."""
        calls = [call for file in matching(self.source.files) for call in self._calls(file)]
        until = hour(span.now)
        known = [call for call in calls if span.since <= call.at < until]
        samples = []
        counts, failed = (
            Counter(hour(call.at) for call in known),
            Counter(hour(call.at) for call in known if not call.good),
        )
        for time, count in counts.items():
            samples += [
                sample(CALLS, time, count, source=self.name),
                sample(ERRORS, time, failed[time], source=self.name),
            ]
        notes: list[str] = []
        if self.source.cost:
            zone = ZoneInfo(self.days_in)
            items = [
                Item(day_of(call.at, zone), call.model, self.source.currency, call.cost)
                for call in calls
                if call.cost is not None
            ]
            bill = reading(self.name, Bill(items, span.now), Metrics(self.days_in, 0), None, span)
            samples += [each for each in bill.samples if each.series.metric.startswith(("cost.daily", "cost.service"))]
            without = sum(1 for call in known if call.cost is None)
            notes += [*bill.notes, *([f"{counted(without, 'call')} without a cost"] if without else [])]
        return replace(Reading(tuple(samples), until), notes=tuple(notes))

    def _calls(self, file: Path) -> Iterator[Call]:
        wanted = [
            self.source.time,
            self.source.model,
            self.source.outcome,
            *([self.source.cost] if self.source.cost else []),
        ]
        for number, row in enumerate(csv_rows(file), start=1):
            missing = [name for name in wanted if name not in row]
            if missing:
                raise OpsError(
                    f"the file has no column {', '.join(missing)}", where=str(file), hint="name it under [[sources]]"
                )
            try:
                at = datetime.fromisoformat(row[self.source.time] or "")
                price = row.get(self.source.cost)
                cost = float(price) if price else None
            except (TypeError, ValueError) as error:
                raise OpsError(f"{error}, in row {number}", where=str(file), hint="is that line whole?") from error
            utc = at.astimezone(UTC) if at.tzinfo else moments(at, ZoneInfo(self.source.zone))[0]
            yield Call(utc, row[self.source.model] or "(none)", row[self.source.outcome] in self.source.good, cost)
