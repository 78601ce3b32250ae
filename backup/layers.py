"""The five layers of backups: which are configured, and what was last proved of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backup.catalog import Catalog
from backup.records import VERIFICATION, VerificationBody
from opsctl.core.ledger import Ledger
from opsctl.core.result import Outcome


@dataclass(frozen=True)
class Drilled:
    """What a drill proved, as its signed result says: of which backup, up to which heartbeat if logs were replayed."""

    finished: datetime
    passed: bool
    repository: str
    backup: str
    replayed: bool


@dataclass(frozen=True)
class Place:
    """A repository as the layers see it."""

    name: str
    catalog: Catalog
    off_host: bool


class Layer(BaseModel):
    """One layer; all times are UTC, None where it never happened.

    `verified`: everything of it was read again and is what was signed. `drilled`: a drill that passed used it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    configured: bool
    succeeded: datetime | None
    verified: datetime | None
    drilled: datetime | None
    note: str | None


def layers(stack: str, places: Sequence[Place], ledger: Ledger, drills: Sequence[Drilled]) -> tuple[Layer, ...]:
    """All five. Raises OpsError when a repository cannot be read or does not hold."""
    verified = dict(_verified(stack, ledger))
    passed = [drill for drill in drills if drill.passed]
    local = places[:1]
    off_site = [place for place in places if place.off_host]
    return (
        _copies(1, "physical backup", places=local, verified=verified, drills=passed, absent="there is no repository"),
        _binlog(local, passed),
        _copies(
            3,
            "copy off-site",
            places=off_site,
            verified=verified,
            drills=passed,
            absent="no repository with off_host = true",
        ),
        _absent(4, "immutable copy", "no repository that this host cannot delete from"),
        _absent(5, "logical export", "none is made"),
    )


def _copies(
    number: int,
    name: str,
    *,
    places: Sequence[Place],
    verified: dict[str, datetime],
    drills: Sequence[Drilled],
    absent: str,
) -> Layer:
    if not places:
        return _absent(number, name, absent)
    newest = [place.catalog.manifest(ids[-1]).finished for place in places if (ids := place.catalog.backup_ids())]
    names = {place.name for place in places}
    wheres = {place.catalog.store.where for place in places}
    return Layer(
        number=number,
        name=name,
        configured=True,
        succeeded=max(newest, default=None),
        verified=max((time for where, time in verified.items() if where in wheres), default=None),
        drilled=max((drill.finished for drill in drills if drill.repository in names), default=None),
        note=None if newest else "there is no backup yet",
    )


def _binlog(places: Sequence[Place], drills: Sequence[Drilled]) -> Layer:
    """A shipment reads each log, verifies it and reads the archive back: its success is its verification."""
    sealed = [
        segments[-1].sealed_at
        for place in places
        if (refs := place.catalog.lineages()) and (segments := place.catalog.segments(refs[-1]))
    ]
    shipped = max(sealed, default=None)
    return Layer(
        number=2,
        name="binary logs",
        configured=bool(places),
        succeeded=shipped,
        verified=shipped,
        drilled=max((drill.finished for drill in drills if drill.replayed), default=None),
        note=None if shipped else "nothing was shipped yet",
    )


def _absent(number: int, name: str, why: str) -> Layer:
    return Layer(number=number, name=name, configured=False, succeeded=None, verified=None, drilled=None, note=why)


def _verified(stack: str, ledger: Ledger) -> Iterator[tuple[str, datetime]]:
    """When a backup in each repository was last found to be what was signed, in the order of time."""
    for entry in ledger.query(VERIFICATION, stack):
        record = entry.record_of(VerificationBody)
        if record.outcome is Outcome.PASSED:
            yield record.body.repository, record.finished
