"""What the ledger's records say to rules: backups, shipments, copies, drills, drift, and duties with a date.

Domains meet only through records, so their bodies are read here by the fields that are needed and no others.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from anomaly_rules.collectors import Reading, Sample, Span, hour, latest, sample
from anomaly_rules.metric import Cadence, Metric
from opsctl.core.errors import OpsError
from opsctl.core.record import AnyBody, Record
from opsctl.core.result import Outcome
from opsctl.core.rule import MetricId

AnyRecord = Record[AnyBody]
Records = Callable[[], Iterable[AnyRecord]]

DUTIES = ("review", "incident", "clock", "vendor", "attestation")
"""Kinds of records with a date until which something has to be done again: `fresh_until`; without one it is closed."""

SIZES = 8
FEWEST_SIZES = 3
"""A backup's size is held against the median of so many of its kind before it, at least of these few."""


def _gauge(name: str, title: str, unit: str, *names: str) -> Metric:
    return Metric(id=MetricId(name), title=title, cadence=Cadence.HOURLY, form="gauge", unit=unit, labels=names)


BACKUP_OVERDUE = _gauge("backup.overdue_hours", "the time since the newest good backup stopped being fresh", "h")
BACKUP_CHANGE = _gauge("backup.size_change", "the factor by which a backup is larger or smaller than usual", "", "kind")
SHIPPING_OVERDUE = _gauge("binlog.overdue_minutes", "the time since the newest shipment stopped being fresh", "min")
GAPS = Metric(
    id=MetricId("binlog.gaps"), title="gaps in the shipped binary logs", cadence=Cadence.HOURLY, absent="zero"
)
COPY_LAG = _gauge("copy.lag_hours", "the lag of a copy", "h", "repository")
DRILL_OVERDUE = _gauge("drill.overdue_days", "the time since a drill was due", "days")
RECOVERY_POINT = _gauge(
    "drill.recovery_point_share", "the measured recovery point, as a share of the objective,", "share"
)
RECOVERY_TIME = _gauge("drill.recovery_time_share", "the measured recovery time, as a share of the objective,", "share")
DRIFT = _gauge("drift.state", "drift of the configuration (0 none, 1 drifted, 2 unknown)", "", "subject")
DUTY_OVERDUE = _gauge("duty.overdue_days", "the time since it was due", "days", "kind", "subject")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Backup(_Body):
    kind: str
    cipher_size: int


class _Shipment(_Body):
    gaps: tuple[str, ...]


class _Copy(_Body):
    repository: str
    looked_at: datetime | None
    backlog: int | None
    oldest_missing: datetime | None


class _Point(_Body):
    database_s: float | None
    objective_s: float


class _Drill(_Body):
    recovery_time_s: float | None
    recovery_time_objective_s: float
    recovery_point: _Point | None


Known = TypeVar("Known", bound=_Body)
Found = Iterator[tuple[Metric, float, dict[str, str]]]
Look = Callable[[list[AnyRecord], datetime], Found]


@dataclass(frozen=True)
class RecordsLook:
    """One look at the records of some kinds; `kinds` are those of which there may be none."""

    name: str
    records: Records
    metrics: tuple[Metric, ...]
    look: Look
    history_days: float = 0
    revise_days: float = 0

    def read(self, span: Span) -> Reading:
        """Look. Raises OpsError when the ledger cannot be read or a record has another form."""
        known = [record for record in self.records() if record.finished <= span.now]
        time = latest(Cadence.HOURLY, span.now)
        samples = tuple(sample(metric, time, value, **named) for metric, value, named in self.look(known, span.now))
        return Reading(samples, span.now)


@dataclass(frozen=True)
class Gaps:
    """Counts gaps in the binary logs by the hour in which a shipment met them."""

    records: Records
    name: str = "gaps in binary logs"
    metrics: tuple[Metric, ...] = (GAPS,)
    history_days: float = 120
    revise_days: float = 1

    def read(self, span: Span) -> Reading:
        """Count. Raises OpsError when the ledger cannot be read or a record has another form."""
        hours: dict[datetime, int] = {span.since: 0}
        for record in _of(self.records(), "shipment"):
            if span.since <= record.finished < hour(span.now):
                begin, gaps = hour(record.finished), len(_body(record, _Shipment).gaps)
                if gaps:
                    hours[begin] = hours.get(begin, 0) + gaps
        samples: list[Sample] = [sample(GAPS, time, count) for time, count in hours.items()]
        return Reading(tuple(samples), hour(span.now))


def backups(records: list[AnyRecord], now: datetime) -> Found:
    """How overdue a backup is, and how unusual the newest of each kind is in size."""
    yield from _overdue(records, "backup", BACKUP_OVERDUE, now, timedelta(hours=1))
    sizes: dict[str, list[int]] = {}
    for record in _of(records, "backup"):
        if record.outcome is Outcome.PASSED:
            body = _body(record, _Backup)
            sizes.setdefault(body.kind, []).append(body.cipher_size)
    for kind, found in sizes.items():
        *before, newest = found[-SIZES - 1 :]
        if len(before) >= FEWEST_SIZES:
            usual, size = max(median(before), 1.0), max(newest, 1)
            yield BACKUP_CHANGE, max(size / usual, usual / size), {"kind": kind}


def shipments(records: list[AnyRecord], now: datetime) -> Found:
    """How overdue a shipment is."""
    yield from _overdue(records, "shipment", SHIPPING_OVERDUE, now, timedelta(minutes=1))


def copies_to(repositories: Iterable[str]) -> Look:
    """How far each repository is behind: all that was published before that long ago is there."""
    wanted = tuple(repositories)

    def look(records: list[AnyRecord], now: datetime) -> Found:
        begun = _begin(records)
        behind = dict.fromkeys(wanted, begun)
        for record in _of(records, "copy"):
            body = _body(record, _Copy)
            if body.repository in behind and body.looked_at is not None:
                behind[body.repository] = body.oldest_missing or body.looked_at
        for repository, since in behind.items():
            if since is not None:
                yield COPY_LAG, max(0.0, (now - since) / timedelta(hours=1)), {"repository": repository}

    return look


def drills(records: list[AnyRecord], now: datetime) -> Found:
    """How overdue a drill is, and what the newest measured."""
    yield from _overdue(records, "drill", DRILL_OVERDUE, now, timedelta(days=1))
    found = sorted(_of(records, "drill"), key=lambda record: record.finished)
    for record in found[-1:]:
        body = _body(record, _Drill)
        if body.recovery_time_s is not None and body.recovery_time_objective_s > 0:
            yield RECOVERY_TIME, body.recovery_time_s / body.recovery_time_objective_s, {}
        point = body.recovery_point
        if point is not None and point.database_s is not None and point.objective_s > 0:
            yield RECOVERY_POINT, point.database_s / point.objective_s, {}


def drift(records: list[AnyRecord], now: datetime) -> Found:
    """What the newest look at each host's configuration found; one that is not fresh any more found nothing out."""
    newest = {record.subject: record for record in _of(records, "drift")}
    states = {Outcome.PASSED: 0.0, Outcome.FAILED: 1.0, Outcome.COULD_NOT_RUN: 2.0}
    for subject, record in newest.items():
        stale = record.fresh_until is not None and record.fresh_until < now
        yield DRIFT, 2.0 if stale and record.outcome is Outcome.PASSED else states[record.outcome], {"subject": subject}


def duties(records: list[AnyRecord], now: datetime) -> Found:
    """How overdue each review, clock and agreement is: by the newest record of each."""
    newest = {(record.kind, record.subject): record for record in records if record.kind in DUTIES}
    for (kind, subject), record in newest.items():
        due = record.fresh_until
        days = 0.0 if due is None else max(0.0, (now - due) / timedelta(days=1))
        yield DUTY_OVERDUE, days, {"kind": kind, "subject": subject}


def _overdue(records: list[AnyRecord], kind: str, metric: Metric, now: datetime, unit: timedelta) -> Found:
    """How long ago the newest passed record stopped being fresh; when none ever passed, when the ledger began."""
    fresh = [
        record.fresh_until
        for record in _of(records, kind)
        if record.outcome is Outcome.PASSED and record.fresh_until is not None
    ]
    since = max(fresh, default=_begin(records))
    if since is not None:
        yield metric, max(0.0, (now - since) / unit), {}


def _begin(records: list[AnyRecord]) -> datetime | None:
    return min((record.started for record in records), default=None)


def _of(records: Iterable[AnyRecord], kind: str) -> Iterator[AnyRecord]:
    return (record for record in records if record.kind == kind)


def _body(record: AnyRecord, form: type[Known]) -> Known:
    try:
        return form.model_validate(record.body.model_dump())
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OpsError(
            f"a record of kind {record.kind}, version {record.version}, has another form: {where}: {first['msg']}",
            hint="was it written by a newer opsctl? look at it: opsctl ledger list",
        ) from error
