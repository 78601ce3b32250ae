"""Answer of `opsctl anomalies rules`."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, JsonValue

from anomaly_rules.catalogue import Catalogue
from anomaly_rules.kinds import KINDS
from anomaly_rules.metric import Metric
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.views.anomalies_run import SEVERITY_STYLES
from opsctl.core.errors import SettingsError
from opsctl.core.rule import MetricId, Severity


class RuleRow(BaseModel):
    """One rule. `idle` says why it is not run here; `rule_kind` is None for a rule of a Python file."""

    id: str
    question: str
    severity: Severity
    rule_kind: str | None
    metric: str
    params: dict[str, JsonValue]
    reason: str | None
    act: str | None
    idle: str | None


class MetricRow(BaseModel):
    """One metric that is measured here."""

    id: str
    title: str
    cadence: str
    unit: str
    labels: tuple[str, ...]
    settle_days: float


class AnomaliesRules(Document):
    """All rules, what their kinds find, and the metrics that there are."""

    kind: Literal["anomalies-rules"] = "anomalies-rules"
    rules: tuple[RuleRow, ...]
    kinds: dict[str, str]
    metrics: tuple[MetricRow, ...]


def rules(found: Catalogue, metrics: Mapping[MetricId, Metric]) -> AnomaliesRules:
    """Collect."""
    idle = {each.spec.id: each.why for each in found.idle}
    rows = [
        RuleRow(
            id=spec.id,
            question=spec.question,
            severity=spec.severity,
            rule_kind=spec.kind,
            metric=spec.metric,
            params=spec.params,
            reason=spec.reason,
            act=spec.act,
            idle=idle.get(spec.id),
        )
        for spec in found.specs.values()
    ]
    rows += [
        RuleRow(
            id=rule.id,
            question=rule.question,
            severity=rule.severity,
            rule_kind=None,
            metric=rule.needs[0],
            params={},
            reason=None,
            act=None,
            idle=None,
        )
        for rule in found.rules
        if rule.id not in found.specs
    ]
    measured = tuple(
        MetricRow(
            id=each.id,
            title=each.title,
            cadence=each.cadence.value,
            unit=each.unit,
            labels=each.labels,
            settle_days=each.settle_days,
        )
        for _, each in sorted(metrics.items())
    )
    return AnomaliesRules(rules=tuple(rows), kinds=dict(KINDS), metrics=measured)


def one(document: AnomaliesRules, wanted: str) -> AnomaliesRules:
    """Only that rule. Raises SettingsError when there is none of the name."""
    found = tuple(rule for rule in document.rules if rule.id == wanted)
    if not found:
        raise SettingsError(f"there is no rule '{wanted}'", hint="all of them: opsctl anomalies rules")
    return document.model_copy(update={"rules": found})


def rules_text(document: AnomaliesRules, paint: Painter) -> Iterator[str]:
    """Write a table of rules, those that are run first."""
    ordered = sorted(document.rules, key=lambda rule: rule.idle is not None)
    rows = [
        (
            rule.id,
            Cell(rule.severity.value, SEVERITY_STYLES[rule.severity]),
            Cell(rule.idle, "dim") if rule.idle else rule.question,
        )
        for rule in ordered
    ]
    yield from table(("rule", "severity", "question"), rows, paint)


def rule_text(document: AnomaliesRules, paint: Painter) -> Iterator[str]:
    """Write one rule in full."""
    rule = document.rules[0]
    yield paint(rule.question, "bold")
    params = ", ".join(f"{name} = {value}" for name, value in rule.params.items())
    summary = f": {document.kinds[rule.rule_kind]}" if rule.rule_kind else ""
    pairs = [
        ("rule", rule.id),
        ("severity", rule.severity.value),
        ("kind", f"{rule.rule_kind or 'your own'}{summary}"),
        ("metric", rule.metric),
        ("parameters", params or "the defaults"),
        ("threshold", rule.reason or ""),
        ("what to do", rule.act or ""),
        ("not run", rule.idle or ""),
    ]
    yield from figures([(name, text) for name, text in pairs if text], paint)


def metrics_text(document: AnomaliesRules, paint: Painter) -> Iterator[str]:
    """Write a table of metrics."""
    rows = [
        (each.id, each.cadence, each.unit, f"{each.title} by {', '.join(each.labels)}" if each.labels else each.title)
        for each in document.metrics
    ]
    yield from table(("metric", "", "unit", "what it is"), rows, paint)


def kinds_text(document: AnomaliesRules, paint: Painter) -> Iterator[str]:
    """Write a table of kinds, each with its parameters."""
    from anomaly_rules.kinds import parameters_of

    for kind, summary in document.kinds.items():
        yield f"{paint(kind, 'bold')}: {summary}"
        yield from figures(list(parameters_of(kind)), paint, indent=2)
        yield ""
