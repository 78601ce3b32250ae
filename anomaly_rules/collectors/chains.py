"""Chained logs: whether they hold, and how long ago a checkpoint pinned them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from anomaly_rules.collectors import Reading, Span, gauges, labels
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.rule import MetricId
from opsctl.core.verdict import Verdict

INTACT = Metric(
    id=MetricId("chain.intact"),
    title="the state of a chained log (1 intact, 0 broken)",
    cadence=Cadence.HOURLY,
    form="gauge",
    labels=("log",),
)
AGE = Metric(
    id=MetricId("chain.checkpoint_hours"),
    title="age of the newest checkpoint of a chained log",
    cadence=Cadence.HOURLY,
    unit="h",
    form="gauge",
    labels=("log",),
)


@dataclass(frozen=True)
class State:
    """How a log is: the verdict, None where there is no log yet; when it began, and its newest checkpoint (UTC)."""

    verdict: Verdict | None
    begun: datetime | None
    checkpoint: datetime | None


@dataclass(frozen=True)
class ChainLook:
    """One log; `state` verifies it, and raises OpsError for what keeps it from doing so."""

    log: str
    state: Callable[[], State]
    history_days: float = 0
    revise_days: float = 0
    metrics: tuple[Metric, ...] = (INTACT, AGE)

    @property
    def name(self) -> str:
        """The log."""
        return f"chain of the {self.log}"

    def read(self, span: Span) -> Reading:
        """Verify. A log without a checkpoint is as old as itself. Raises OpsError."""
        found = self.state()
        values = []
        if found.verdict is not None:
            values.append((INTACT, 0.0 if found.verdict is Verdict.BROKEN else 1.0, labels(log=self.log)))
        since = found.checkpoint or found.begun
        if since is not None:
            age = max(0.0, (span.now - since) / timedelta(hours=1))
            values.append((AGE, age, labels(log=self.log)))
        return gauges(span, values)
