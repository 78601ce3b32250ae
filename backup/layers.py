"""The five layers of backups: which are configured, and what was last proved of each."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backup.copies.behind import Behind
from backup.copies.immutable import ImmutabilityBody, last_tried
from backup.logical.catalog import MAKE
from backup.logical.records import EXPORT_VERIFICATION
from backup.records import VERIFICATION, VerificationBody
from backup.survey import Drilled, Survey
from backup.sweep.records import KIND as SWEEP
from backup.sweep.records import SweepBody
from opsctl.core.clock import iso
from opsctl.core.ledger import Ledger
from opsctl.core.result import Outcome
from opsctl.core.words import counted


class Layer(BaseModel):
    """One layer; all times are UTC, None where it never happened.

    `verified`: everything of it was read again and is what was signed. `drilled`: a drill that passed used it.
    `checked` is false where a repository of it could not be looked at: then a None says nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    configured: bool
    checked: bool
    succeeded: datetime | None
    verified: datetime | None
    drilled: datetime | None
    note: str | None


def layers(stack: str, surveys: Sequence[Survey], ledger: Ledger, copies: Sequence[Behind] = ()) -> tuple[Layer, ...]:
    """All five, from the looks at all repositories, the local one first; `copies` say how far the others are behind."""
    verified: dict[str, datetime] = {}
    for where, at in _verified(stack, ledger):
        verified[where] = max(at, verified.get(where, at))
    passed = [drill for each in surveys for drill in each.drills if drill.passed]
    local = surveys[:1]
    off_site = [each for each in surveys if each.off_host]
    return (
        _copies(1, "physical backup", local, verified=verified, drills=passed, absent="there is no repository"),
        _binlog(local, passed),
        _off_site(off_site, copies, verified, passed),
        _immutable([each for each in off_site if each.immutable], last_tried(ledger, stack), verified, passed),
        _export(stack, surveys, ledger),
    )


def _copies(
    number: int,
    name: str,
    surveys: Sequence[Survey],
    *,
    verified: dict[str, datetime],
    drills: Sequence[Drilled],
    absent: str,
) -> Layer:
    if not surveys:
        return _absent(number, name, absent)
    newest = max((each.backed_up for each in surveys if each.backed_up), default=None)
    names = {each.name for each in surveys}
    wheres = {each.where for each in surveys}
    return Layer(
        number=number,
        name=name,
        configured=True,
        checked=_checked(surveys),
        succeeded=newest,
        verified=max((time for where, time in verified.items() if where in wheres), default=None),
        drilled=max((drill.finished for drill in drills if drill.repository in names), default=None),
        note=_note(surveys, None if newest else "there is no backup yet"),
    )


def _off_site(
    surveys: Sequence[Survey], copies: Sequence[Behind], verified: dict[str, datetime], drills: Sequence[Drilled]
) -> Layer:
    """A copy elsewhere, and what is still missing there."""
    absent = "no repository with off_host = true"
    layer = _copies(3, "copy off-site", surveys, verified=verified, drills=drills, absent=absent)
    names = {each.name for each in surveys}
    notes = [
        f"'{each.repository}' lacks {counted(each.backlog, 'object')}, the oldest of {iso(each.oldest)}"
        for each in copies
        if each.repository in names and each.oldest is not None
    ]
    return layer.model_copy(update={"note": "; ".join([layer.note, *notes] if layer.note else notes) or None})


def _immutable(
    surveys: Sequence[Survey],
    tried: dict[str, tuple[datetime, ImmutabilityBody]],
    verified: dict[str, datetime],
    drills: Sequence[Drilled],
) -> Layer:
    """What withstood every attack, and is what was signed: verified is what is both, since the older of the two."""
    absent = "no repository that locks what it receives (lock_days)"
    layer = _copies(4, "immutable copy", surveys, verified=verified, drills=drills, absent=absent)
    notes, proved = [], []
    for each in surveys:
        at, body = tried.get(each.name, (None, None))
        if body is None:
            notes.append(f"nobody has tried to harm '{each.name}' yet: opsctl doctor")
        elif body.harmed:
            notes.append(f"'{each.name}' did not withstand: {', '.join(body.harmed)}")
        elif at is not None:
            proved.append(at)
    if layer.verified is not None:
        both = min(layer.verified, max(proved)) if proved and not notes else None
        layer = layer.model_copy(update={"verified": both})
    return layer.model_copy(update={"note": "; ".join([layer.note, *notes] if layer.note else notes) or None})


def _binlog(surveys: Sequence[Survey], drills: Sequence[Drilled]) -> Layer:
    """A shipment reads each log, verifies it and reads the archive back: its success is its verification."""
    shipped = max((each.shipped for each in surveys if each.shipped), default=None)
    return Layer(
        number=2,
        name="binary logs",
        configured=bool(surveys),
        checked=_checked(surveys),
        succeeded=shipped,
        verified=shipped,
        drilled=max((drill.finished for drill in drills if drill.replayed), default=None),
        note=_note(surveys, None if shipped else "nothing was shipped yet"),
    )


def _export(stack: str, surveys: Sequence[Survey], ledger: Ledger) -> Layer:
    """In whichever repository; it is set up once there is one."""
    newest = max((each.exported for each in surveys if each.exported), default=None)
    verified = [time for _, time in _verified(stack, ledger, EXPORT_VERIFICATION)]
    drills = [drill.finished for each in surveys for drill in each.export_drills if drill.passed]
    return Layer(
        number=5,
        name="logical export",
        configured=newest is not None,
        checked=_checked(surveys),
        succeeded=newest,
        verified=max(verified, default=None) if newest else None,
        drilled=max(drills, default=None) if newest else None,
        note=_note(surveys, None if newest else f"none was made: {MAKE}"),
    )


def _checked(surveys: Sequence[Survey]) -> bool:
    return not any(each.problem for each in surveys)


def _note(surveys: Sequence[Survey], otherwise: str | None) -> str | None:
    """What could not be looked at, before all else."""
    problems = [f"'{each.name}' could not be looked at: {each.problem}" for each in surveys if each.problem]
    return "; ".join(problems) or otherwise


def _absent(number: int, name: str, why: str) -> Layer:
    return Layer(
        number=number,
        name=name,
        configured=False,
        checked=True,
        succeeded=None,
        verified=None,
        drilled=None,
        note=why,
    )


def _verified(stack: str, ledger: Ledger, kind: str = VERIFICATION) -> Iterator[tuple[str, datetime]]:
    """When a backup in each repository was found to be what was signed, and since when all in it is known to be."""
    for entry in ledger.query(kind, stack):
        record = entry.record_of(VerificationBody)
        if record.outcome is Outcome.PASSED:
            yield record.body.repository, record.finished
    for entry in ledger.query(SWEEP, stack):
        swept = entry.record_of(SweepBody)
        if swept.outcome is Outcome.PASSED and swept.body.waiting is not None:
            yield swept.body.where, swept.body.waiting
