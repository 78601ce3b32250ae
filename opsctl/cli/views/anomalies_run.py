"""Answers of `opsctl anomalies run`, `list`, `mute` and `acknowledge`."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from anomaly_rules.engine import Judged
from anomaly_rules.findings import Event, Finding
from anomaly_rules.run import Ran
from anomaly_rules.words import moment, sparkline
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import WIDTH, Cell, table, wrap
from opsctl.core.rule import Evidence, Severity
from opsctl.core.words import counted

SEVERITY_STYLES = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_SPARKLINE = 30
_MOST = 20


class FindingRow(BaseModel):
    """One finding as it stands. `since` is when the trouble began, `opened` when it was found (UTC)."""

    id: str
    rule: str
    severity: Severity
    labels: dict[str, str]
    sentence: str
    evidence: Evidence
    since: datetime
    opened: datetime
    event: Event
    open: bool
    acknowledged_by: str | None
    muted_until: datetime | None
    reason: str | None
    act: str


class UncheckedRule(BaseModel):
    """A rule that could not judge anything, and why; `learning` ones only want history."""

    rule: str
    why: str


class AnomaliesRun(Document):
    """What a run found. `new` are the ids of findings that opened in it, `resolved` of those that ended."""

    kind: Literal["anomalies-run"] = "anomalies-run"
    at: datetime
    rules: int
    series: int
    findings: tuple[FindingRow, ...]
    new: tuple[str, ...]
    worsened: tuple[str, ...]
    resolved: tuple[str, ...]
    unchecked: tuple[UncheckedRule, ...]
    learning: tuple[UncheckedRule, ...]
    undelivered: tuple[str, ...]


class AnomaliesList(Document):
    """Findings, the oldest first."""

    kind: Literal["anomalies-list"] = "anomalies-list"
    findings: tuple[FindingRow, ...]


class AnomaliesSaid(Document):
    """A finding after somebody muted or acknowledged it."""

    kind: Literal["anomalies-said"] = "anomalies-said"
    finding: FindingRow


def row(finding: Finding) -> FindingRow:
    """One finding."""
    body = finding.newest
    said = finding.muted or finding.acknowledged
    return FindingRow(
        id=finding.id,
        rule=body.rule,
        severity=body.severity,
        labels=dict(body.labels),
        sentence=body.sentence,
        evidence=body.evidence,
        since=body.evidence.since or body.opened,
        opened=body.opened,
        event=body.event,
        open=finding.open,
        acknowledged_by=finding.acknowledged.by if finding.acknowledged else None,
        muted_until=finding.muted.until if finding.muted else None,
        reason=said.reason if said else None,
        act=body.act,
    )


def ran(found: Ran, undelivered: Iterable[str]) -> AnomaliesRun:
    """Collect."""
    ids = {
        event: tuple(body.id for body in found.events if body.event is event)
        for event in (Event.OPENED, Event.WORSENED, Event.RESOLVED)
    }
    return AnomaliesRun(
        at=found.at,
        rules=len({answer.rule for answer in found.judged}),
        series=sum(len(answer.verdicts) for answer in found.judged),
        findings=tuple(row(finding) for finding in _ordered(found.open)),
        new=ids[Event.OPENED],
        worsened=ids[Event.WORSENED],
        resolved=ids[Event.RESOLVED],
        unchecked=tuple(map(_unchecked, found.unchecked)),
        learning=tuple(map(_unchecked, found.learning)),
        undelivered=tuple(undelivered),
    )


def _unchecked(answer: Judged) -> UncheckedRule:
    return UncheckedRule(rule=answer.rule, why=answer.verdicts[0].sentence)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    order = list(SEVERITY_STYLES)
    return sorted(findings, key=lambda each: (order.index(each.newest.severity), each.newest.opened, each.id))


def run_text(document: AnomaliesRun, paint: Painter) -> Iterator[str]:
    """Write the findings, then what could not be checked."""
    for found in document.findings:
        yield from _finding(found, paint, new=found.id in document.new, at=document.at)
    yield from _without_answer("could not judge anything", document.unchecked, paint)
    yield from _without_answer("still learning", document.learning, paint)
    for problem in document.undelivered:
        yield paint(f"could not be told: {problem}", "yellow")
    yield (
        f"{counted(document.rules, 'rule')}, {counted(document.series, 'answer')}: "
        f"{counted(len(document.findings), 'finding')}, {len(document.new)} new, {len(document.resolved)} resolved."
    )


def _without_answer(what: str, rules: Sequence[UncheckedRule], paint: Painter) -> Iterator[str]:
    if not rules:
        return
    yield paint(f"{what}:", "yellow")
    yield from table(("", ""), [(f"  {each.rule}", each.why) for each in rules[:_MOST]], paint)
    if len(rules) > _MOST:
        yield f"  and {len(rules) - _MOST} more: --json has all"
    yield ""


def _finding(found: FindingRow, paint: Painter, *, new: bool, at: datetime) -> Iterator[str]:
    news = paint("  new", "bold") if new else ""
    yield paint(f"{found.severity.value}  ", SEVERITY_STYLES[found.severity]) + f"{found.rule}  {found.id}{news}"
    for line in wrap(found.sentence, WIDTH - 2):
        yield f"  {line}"
    drawn = sparkline(found.evidence.recent[-_SPARKLINE:])
    yield f"  since {moment(found.since)}  {paint(drawn, 'dim')}".rstrip()
    if found.muted_until is not None and at < found.muted_until:
        yield f"  muted until {moment(found.muted_until)}: {found.reason}"
    elif found.acknowledged_by is not None:
        yield f"  acknowledged by {found.acknowledged_by}"
    for line in wrap(found.act, WIDTH - 2) if found.act else ():
        yield f"  {line}"
    yield ""


def listed(findings: Iterable[Finding]) -> AnomaliesList:
    """Collect."""
    return AnomaliesList(findings=tuple(row(each) for each in sorted(findings, key=lambda each: each.newest.opened)))


def list_text(document: AnomaliesList, paint: Painter, at: datetime) -> Iterator[str]:
    """Write a table."""
    if not document.findings:
        yield "no findings"
        return
    rows = [
        (
            found.id,
            Cell(found.severity.value, SEVERITY_STYLES[found.severity]),
            f"{found.since:%Y-%m-%d %H:%M}",
            _state(found, at),
            f"{found.rule}: {found.sentence}",
        )
        for found in document.findings
    ]
    yield from table(("id", "severity", "since (UTC)", "state", "finding"), rows, paint)


def _state(found: FindingRow, at: datetime) -> Cell:
    if not found.open:
        return Cell("resolved", "green")
    if found.muted_until is not None and at < found.muted_until:
        return Cell("muted", "dim")
    return Cell("acknowledged", "dim") if found.acknowledged_by is not None else Cell("open")


def said(finding: Finding) -> AnomaliesSaid:
    """The finding."""
    return AnomaliesSaid(finding=row(finding))


def said_text(document: AnomaliesSaid, paint: Painter, at: datetime) -> Iterator[str]:
    """Write the finding."""
    yield from _finding(document.finding, paint, new=False, at=at)
