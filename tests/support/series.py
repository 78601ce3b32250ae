"""Series for tests of rules, and rules made of a few words."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from anomaly_rules.kinds import Context, build
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.spec import RuleSpec
from opsctl.core.rule import Judgement, Labels, MetricId, Rule, Series, SeriesId, Severity, Verdict

NOW = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)  # a Monday
SPEND = Metric(id=MetricId("spend"), title="spend", cadence=Cadence.DAILY, unit="USD")
CALLS = Metric(id=MetricId("calls"), title="calls", cadence=Cadence.HOURLY, unit="calls", absent="zero")
USED = Metric(id=MetricId("used"), title="disk used", cadence=Cadence.HOURLY, unit="share", form="gauge")


def series(metric: Metric, values: Sequence[float], now: datetime = NOW) -> Series:
    """Values of which the last is of the newest period that can be judged at `now`; NaN leaves a hole."""
    step = metric.cadence.step
    last = now.replace(minute=0) if metric.cadence is Cadence.HOURLY else now.replace(hour=0, minute=0)
    if metric.form == "sum":
        last -= step
    times = [last - step * back for back in range(len(values) - 1, -1, -1)]
    known = [(time, float(value)) for time, value in zip(times, values, strict=True) if not math.isnan(value)]
    return Series(tuple(time for time, _ in known), tuple(value for _, value in known))


def rule(kind: str, metric: Metric, *others: Metric, holidays: frozenset[date] = frozenset(), **params: Any) -> Rule:
    """A rule of a kind with parameters."""
    spec = RuleSpec(
        id=f"test-{kind}",
        question="Is it so?",
        severity=Severity.WARNING,
        kind=kind,
        metric=metric.id,
        params=params,
        reason="A test.",
        act="Look.",
    )
    return build(spec, Context({each.id: each for each in (metric, *others)}, holidays))


def judged(made: Rule, metric: Metric, values: Sequence[float], now: datetime = NOW) -> Verdict:
    """The verdict on one series without labels."""
    (verdict,) = made.evaluate({SeriesId(metric.id): series(metric, values, now)}, now)
    return verdict


def fires(made: Rule, metric: Metric, values: Sequence[float], now: datetime = NOW) -> bool:
    """Whether one series is a finding; that it could be judged is asserted."""
    verdict = judged(made, metric, values, now)
    assert verdict.judgement is not Judgement.COULD_NOT_JUDGE, verdict.sentence
    return verdict.judgement is Judgement.FINDING


def by_label(metric: Metric, found: Mapping[str, Sequence[float]], name: str = "service") -> dict[SeriesId, Series]:
    """Series of one metric, told apart by a label."""
    labels: dict[str, Labels] = {value: ((name, value),) for value in found}
    return {SeriesId(metric.id, labels[value]): series(metric, values) for value, values in found.items()}


def days(count: int) -> timedelta:
    """That many days."""
    return timedelta(days=count)
