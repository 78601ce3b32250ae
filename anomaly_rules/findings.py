"""The life of findings: opened, repeated, worsened, acknowledged, muted, resolved by themselves; each a ledger record.

What is open now is the fold of those records: nothing else remembers it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from anomaly_rules.engine import Judged
from opsctl.core.clock import new_id
from opsctl.core.ledger import Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.rule import Evidence, Judgement, Labels, MetricId, Severity, Verdict

FINDING = "finding"
FINDING_VERSION = 1
WORSE = 1.5
"""So many times the size at which it was last told makes a finding worse."""
REPEAT = timedelta(hours=24)


class Event(StrEnum):
    """What happened to a finding."""

    OPENED = "opened"
    REPEATED = "repeated"
    WORSENED = "worsened"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    RESOLVED = "resolved"


class FindingBody(BaseModel):
    """One event of a finding's life. `opened` is when it was first seen, `until` the end of a mute (UTC)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    event: Event
    rule: str
    metric: MetricId
    question: str
    severity: Severity
    labels: Labels
    sentence: str
    evidence: Evidence
    opened: datetime
    act: str = ""
    reason: str | None = None
    by: str | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Finding:
    """A finding as it stands: its newest words and figures, and what people said about it."""

    newest: FindingBody
    told: FindingBody
    """The event that was last worth telling: opened, worsened, or come back."""
    at: datetime
    acknowledged: FindingBody | None = None
    muted: FindingBody | None = None
    open: bool = True

    @property
    def id(self) -> str:
        """Its id."""
        return self.newest.id

    @property
    def key(self) -> tuple[str, Labels]:
        """What it is about: a rule and labels."""
        return self.newest.rule, self.newest.labels

    def quieted(self, at: datetime) -> bool:
        """Whether somebody knows of it, or it was muted and still is."""
        return self.acknowledged is not None or self.muted_at(at)

    def muted_at(self, at: datetime) -> bool:
        """Whether it is muted at a time."""
        return self.muted is not None and self.muted.until is not None and at < self.muted.until


def fold(
    bodies: Iterable[tuple[datetime, FindingBody]], known: Mapping[str, Finding] | None = None
) -> dict[str, Finding]:
    """All findings that ever were, by id, from what was `known` and the events since, in order."""
    found = dict(known or {})
    for at, body in bodies:
        after = _after(found.get(body.id), at, body)
        if body.event is Event.OPENED:
            after = replace(after, muted=_still_muted(found, after, at))
        found[body.id] = after
    return found


def _still_muted(found: Mapping[str, Finding], opened: Finding, at: datetime) -> FindingBody | None:
    """The mute of an earlier finding about the same: it holds until its time, also when the trouble comes back."""
    earlier = (each.muted for each in found.values() if each.key == opened.key and each.muted_at(at))
    return next(earlier, None)


def _after(before: Finding | None, at: datetime, body: FindingBody) -> Finding:
    if before is None or body.event is Event.OPENED:
        return Finding(body, body, at)
    if body.event is Event.ACKNOWLEDGED:
        return replace(before, acknowledged=body)
    if body.event is Event.MUTED:
        return replace(before, muted=body)
    if body.event is Event.RESOLVED:
        return replace(before, newest=body, at=at, open=False, acknowledged=None)
    back = not before.open
    if body.event is Event.WORSENED:
        return replace(before, newest=body, told=body, at=at, open=True, acknowledged=None)
    return replace(before, newest=body, told=body if back else before.told, at=at, open=True)


def stored(ledger: Ledger, stack: str, until: datetime | None = None) -> dict[str, Finding]:
    """All findings of a stack that the ledger tells of, up to a time."""
    entries = (entry.record_of(FindingBody) for entry in ledger.query(FINDING, stack))
    return fold((record.finished, record.body) for record in entries if until is None or record.finished <= until)


def history(ledger: Ledger, stack: str, wanted: str) -> tuple[tuple[datetime, FindingBody], ...]:
    """The events of one finding, oldest first, each with its time (UTC)."""
    records = (entry.record_of(FindingBody) for entry in ledger.query(FINDING, stack))
    return tuple((each.finished, each.body) for each in records if each.body.id == wanted)


def advance(
    known: Mapping[str, Finding], judged: Iterable[Judged], acts: Mapping[str, str], at: datetime
) -> Iterator[FindingBody]:
    """The events that a run's verdicts are, given what was known before.

    What could not be judged neither ends nor repeats; what is judged and is no finding any more is resolved.
    """
    newest: dict[tuple[str, Labels], Finding] = {}
    for finding in known.values():
        newest[finding.key] = finding
    for answer in judged:
        current = {verdict.labels: verdict for verdict in answer.findings}
        for labels, verdict in current.items():
            event = _event(newest.get((answer.rule, labels)), answer, verdict, acts.get(answer.rule, ""), at)
            if event is not None:
                yield event
        unknown = {each.labels for each in answer.verdicts if each.judgement is Judgement.COULD_NOT_JUDGE}
        for (rule, labels), finding in newest.items():
            gone = rule == answer.rule and finding.open and labels not in current and labels not in unknown
            if gone and answer.checked:
                yield finding.newest.model_copy(
                    update={"event": Event.RESOLVED, "sentence": _end(answer, labels), "reason": None}
                )


def _event(before: Finding | None, answer: Judged, verdict: Verdict, act: str, at: datetime) -> FindingBody | None:
    body = FindingBody(
        id=new_id(),
        event=Event.OPENED,
        rule=answer.rule,
        metric=answer.metric,
        question=answer.question,
        severity=answer.severity,
        labels=verdict.labels,
        sentence=verdict.sentence,
        evidence=verdict.evidence,
        opened=at,
        act=act,
    )
    if before is None or (not before.open and at - before.at > answer.calm):
        return body
    body = body.model_copy(update={"id": before.id, "opened": before.newest.opened})
    if not before.open:
        return body.model_copy(update={"event": Event.REPEATED})
    if verdict.evidence.size >= WORSE * before.told.evidence.size:
        return body.model_copy(update={"event": Event.WORSENED})
    if at - before.at >= REPEAT:
        return body.model_copy(update={"event": Event.REPEATED})
    return None


def _end(answer: Judged, labels: Labels) -> str:
    """What the rule says now of what it found before."""
    for verdict in answer.verdicts:
        if verdict.labels == labels:
            return verdict.sentence
    return "it is no longer so"


def record(body: FindingBody, stack: str, at: datetime) -> Record[FindingBody]:
    """The ledger record of an event."""
    return Record(
        kind=FINDING,
        version=FINDING_VERSION,
        subject=stack,
        started=at,
        finished=at,
        outcome=Outcome.PASSED if body.event is Event.RESOLVED else Outcome.FAILED,
        fresh_until=None,
        body=body,
    )
