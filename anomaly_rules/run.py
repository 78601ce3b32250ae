"""`anomalies run`: judge everything now, carry the life of findings on, and say what has to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from anomaly_rules.catalogue import Catalogue
from anomaly_rules.engine import SOURCES, Judged, judge
from anomaly_rules.findings import Event, Finding, FindingBody, advance, fold, record, stored
from anomaly_rules.metric import Cadence
from anomaly_rules.samples import Samples
from anomaly_rules.words import moment
from opsctl.core.errors import SettingsError
from opsctl.core.ledger import Ledger
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.rule import Rule, Series

LOCK = "anomalies"
RUN = "anomalies-run"
RUN_VERSION = 1
FRESH = timedelta(hours=26)
"""How long a run says that somebody looks: it is due every hour, and after a day nobody did."""
_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class Watch:
    """What a run works with."""

    stack: str
    samples: Samples
    catalogue: Catalogue
    ledger: Ledger
    lock_dir: Path


@dataclass(frozen=True)
class Ran:
    """What a run came to: each rule's answer, what happened to findings, and those that are open now."""

    at: datetime
    judged: tuple[Judged, ...]
    events: tuple[FindingBody, ...]
    open: tuple[Finding, ...]

    @property
    def unchecked(self) -> tuple[Judged, ...]:
        """Rules that could not judge anything, though they have the history for it."""
        return tuple(answer for answer in self.judged if not answer.checked and not answer.learning)

    @property
    def learning(self) -> tuple[Judged, ...]:
        """Rules that cannot judge anything yet."""
        return tuple(answer for answer in self.judged if answer.learning)

    @property
    def unread(self) -> tuple[str, ...]:
        """What is wrong with sources."""
        return tuple(
            verdict.sentence for answer in self.judged if answer.rule == SOURCES for verdict in answer.findings
        )

    @property
    def counted(self) -> tuple[Finding, ...]:
        """Open findings about what is watched, without the muted ones."""
        return tuple(each for each in self.open if each.newest.rule != SOURCES and not each.muted_at(self.at))


class RunBody(BaseModel):
    """That everything was judged, and what came of it: how many rules, those without an answer, open findings by id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: int
    unchecked: tuple[str, ...]
    learning: tuple[str, ...]
    findings: tuple[str, ...]
    opened: int
    resolved: int


def run(watch: Watch, at: datetime, *, wait_s: float = 0.0) -> Ran:
    """Judge now, and write what happened to findings into the ledger. Raises LockedError beside another run."""
    with lock(watch.lock_dir, LOCK, doing="anomalies run", wait_s=wait_s):
        ran = _judged(watch, at, watch.catalogue.rules, stored(watch.ledger, watch.stack))
        for body in ran.events:
            watch.ledger.append(record(body, watch.stack, at))
        watch.ledger.append(_record(watch, ran))
    return ran


def _record(watch: Watch, ran: Ran) -> Record[RunBody]:
    """The proof that somebody looked: without it, no findings would be the same as no run."""
    could_not = Outcome.COULD_NOT_RUN if ran.unread or ran.unchecked else Outcome.PASSED
    return Record(
        kind=RUN,
        version=RUN_VERSION,
        subject=watch.stack,
        started=ran.at,
        finished=ran.at,
        outcome=Outcome.FAILED if ran.counted else could_not,
        fresh_until=ran.at + FRESH,
        body=RunBody(
            rules=len(ran.judged),
            unchecked=tuple(answer.rule for answer in ran.unchecked),
            learning=tuple(answer.rule for answer in ran.learning),
            findings=tuple(finding.id for finding in ran.open),
            opened=sum(body.event is Event.OPENED for body in ran.events),
            resolved=sum(body.event is Event.RESOLVED for body in ran.events),
        ),
    )


def look(watch: Watch, at: datetime, rules: Sequence[str] = ()) -> Ran:
    """Judge what was known at a time (UTC), and write nothing. The same samples and records give the same answer."""
    chosen = [rule for rule in watch.catalogue.rules if not rules or rule.id in rules]
    return _judged(watch, at, chosen, stored(watch.ledger, watch.stack, until=at))


def _judged(watch: Watch, at: datetime, rules: Sequence[Rule], known: Mapping[str, Finding]) -> Ran:
    judged = judge(rules, watch.samples, at)
    events = tuple(advance(known, judged, watch.catalogue.acts, at))
    after = fold(((at, body) for body in events), known)
    return Ran(at, judged, events, tuple(finding for finding in after.values() if finding.open))


def findings(watch: Watch) -> tuple[Finding, ...]:
    """All findings that ever were, the oldest first."""
    return tuple(sorted(stored(watch.ledger, watch.stack).values(), key=lambda each: each.newest.opened))


def series_of(watch: Watch, finding: Finding, days: int | None) -> Series | None:
    """The series of a finding until its newest judgement: so many days, or 70 of a daily and 10 of an hourly one."""
    metric = watch.samples.metrics().get(finding.newest.metric)
    if metric is None or finding.newest.rule == SOURCES:
        return None
    usual = 70 if metric.cadence is Cadence.DAILY else 10
    at = finding.at
    found = watch.samples.series(metric.id, since=at - timedelta(days=days or usual), at=at)
    return found.get(finding.newest.labels)


def find(watch: Watch, wanted: str) -> Finding:
    """The finding whose id begins so. Raises SettingsError when there is none, or more than one."""
    found = [each for each in stored(watch.ledger, watch.stack).values() if each.id.startswith(wanted)]
    if not found or len(wanted) < _SHORTEST_PREFIX:
        raise SettingsError(
            f"there is no finding '{wanted}'", hint="findings and their ids: opsctl anomalies list --all"
        )
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise SettingsError(f"'{wanted}' is the beginning of several ids: {ids}", hint="type more of it")
    return found[0]


def mute(watch: Watch, finding: Finding, *, until: datetime, reason: str, by: str, at: datetime) -> Finding:
    """Let a finding be silent until a time (UTC), also when it goes and comes back."""
    if until <= at:
        raise SettingsError(f"{moment(until)} is over", hint="give a time that is to come, or --for 7d")
    return _say(watch, finding, {"event": Event.MUTED, "reason": reason, "by": by, "until": until}, at)


def unmute(watch: Watch, finding: Finding, *, by: str, at: datetime) -> Finding:
    """End a mute now. Raises SettingsError where there is none."""
    if not finding.muted_at(at):
        raise SettingsError(f"finding {finding.id} is not muted", hint="what is: opsctl anomalies list")
    return _say(watch, finding, {"event": Event.MUTED, "reason": "unmuted", "by": by, "until": at}, at)


def acknowledge(watch: Watch, finding: Finding, *, reason: str | None, by: str, at: datetime) -> Finding:
    """Say that somebody knows of an open finding: it is told again only when it gets worse."""
    if not finding.open:
        raise SettingsError(f"finding {finding.id} is over", hint="what is open: opsctl anomalies list")
    return _say(watch, finding, {"event": Event.ACKNOWLEDGED, "reason": reason, "by": by}, at)


def _say(watch: Watch, finding: Finding, said: dict[str, object], at: datetime) -> Finding:
    body = finding.newest.model_copy(update={"until": None, **said})
    with lock(watch.lock_dir, LOCK, doing=f"anomalies: {body.event.value} {finding.id}", wait_s=10.0):
        watch.ledger.append(record(body, watch.stack, at))
    return fold([(at, body)], {finding.id: finding})[finding.id]


def duration(text: str) -> timedelta:
    """`12h`, `7d` or `2w`. Raises SettingsError."""
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.isdigit() or not int(number):
        raise SettingsError(f"'{text}' is no duration", hint="write it as 12h, 7d or 2w")
    return int(number) * units[unit]
