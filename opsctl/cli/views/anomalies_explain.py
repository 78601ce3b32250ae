"""Answer of `opsctl anomalies explain`."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from anomaly_rules.chart import chart
from anomaly_rules.findings import Event, Finding, FindingBody
from anomaly_rules.metric import Metric
from anomaly_rules.spec import RuleSpec
from anomaly_rules.words import moment, quantity
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import WIDTH, figures, table, wrap
from opsctl.cli.views.anomalies_run import FindingRow, row
from opsctl.core.rule import Series


class LifeRow(BaseModel):
    """One event of a finding's life."""

    at: datetime
    event: Event
    sentence: str
    value: float | None
    by: str | None
    reason: str | None
    until: datetime | None


class Value(BaseModel):
    """One value of the series; its time is the beginning of its period (UTC)."""

    time: datetime
    value: float


class AnomaliesExplain(Document):
    """A finding, why its rule fires, its life, and its series."""

    kind: Literal["anomalies-explain"] = "anomalies-explain"
    finding: FindingRow
    question: str
    threshold: str | None
    metric: str
    unit: str
    step_s: float
    life: tuple[LifeRow, ...]
    series: tuple[Value, ...]


def explained(
    finding: Finding,
    life: Sequence[tuple[datetime, FindingBody]],
    spec: RuleSpec | None,
    metric: Metric | None,
    series: Series | None,
) -> AnomaliesExplain:
    """Collect."""
    return AnomaliesExplain(
        finding=row(finding),
        question=finding.newest.question,
        threshold=spec.reason if spec else None,
        metric=finding.newest.metric,
        unit=metric.unit if metric else "",
        step_s=metric.cadence.step.total_seconds() if metric else 86400.0,
        life=tuple(_event(at, body) for at, body in life),
        series=tuple(Value(time=time, value=value) for time, value in zip(series.times, series.values, strict=True))
        if series
        else (),
    )


def _event(at: datetime, body: FindingBody) -> LifeRow:
    return LifeRow(
        at=at,
        event=body.event,
        sentence=body.sentence,
        value=body.evidence.value,
        by=body.by,
        reason=body.reason,
        until=body.until,
    )


def explain_text(document: AnomaliesExplain, paint: Painter) -> Iterator[str]:
    """Write what was found and why, draw the series, and tell the life."""
    found = document.finding
    yield paint(document.question, "bold")
    yield from wrap(found.sentence, WIDTH)
    yield ""
    if document.series:
        yield from chart(_regular(document), document.unit, since=found.since, expected=_level(document))
        yield ""
    yield from figures(list(_pairs(document)), paint)
    yield ""
    rows = [(moment(each.at), each.event.value, _said(each)) for each in document.life]
    yield from table(("when", "what", ""), rows, paint)


def _pairs(document: AnomaliesExplain) -> Iterator[tuple[str, str]]:
    found, unit = document.finding, document.unit
    yield "finding", f"{found.id}, {found.severity.value}, {'open' if found.open else 'resolved'}"
    yield "rule", found.rule
    yield "metric", document.metric + (f" ({', '.join(found.labels.values())})" if found.labels else "")
    for name, value in (("value", found.evidence.value), ("expected", found.evidence.expected)):
        if value is not None:
            yield name, quantity(value, unit)
    low, high = found.evidence.low, found.evidence.high
    if low is not None and high is not None:
        yield "in order", f"from {quantity(low, unit)} to {quantity(high, unit)}"
    yield "since", moment(found.since)
    if document.threshold:
        yield "threshold", document.threshold
    if found.act:
        yield "what to do", found.act


def _level(document: AnomaliesExplain) -> float | None:
    """The expected value, where it is of the size of the series (and no duration or share of it)."""
    expected = document.finding.evidence.expected
    values = [each.value for each in document.series]
    if expected is None or document.finding.evidence.value not in values:
        return None
    return expected


def _regular(document: AnomaliesExplain) -> list[tuple[datetime, float | None]]:
    """One point for each period, None where nothing was measured."""
    points: list[tuple[datetime, float | None]] = []
    step = timedelta(seconds=document.step_s)
    for each in document.series:
        while points and each.time - points[-1][0] > 1.5 * step:
            points.append((points[-1][0] + step, None))
        points.append((each.time, each.value))
    return points


def _said(each: LifeRow) -> str:
    if each.event is Event.MUTED and each.until is not None:
        return f"by {each.by} until {moment(each.until)}: {each.reason}"
    if each.event is Event.ACKNOWLEDGED:
        return f"by {each.by}" + (f": {each.reason}" if each.reason else "")
    return each.sentence
