"""Results of drills in a repository: signed records, each under its id, from which status, layers and rules read them.

A drill of a backup and a drill of an export differ in what they prove; how that is kept is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from backup.catalog import Catalog
from backup.documents import fetch, publish
from opsctl.core.canonical import parse_versioned
from opsctl.core.clock import compact, in_order, new_id, utcnow
from opsctl.core.errors import IntegrityError, SettingsError
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.signing import Namespace
from opsctl.core.store import get
from restore_drill.context import DrillHost

_END = ".json"


class DrillResult(BaseModel):
    """The base of what drills prove: each has an id."""

    id: str


Body = TypeVar("Body", bound=DrillResult)


@dataclass(frozen=True)
class Published(Generic[Body]):
    """Results of one kind: `model` is the type of their record, `prefix` where those of a stack lie."""

    kind: str
    version: int
    model: type[Record[Body]]
    prefix: Callable[[str], str]

    def new_id(self, catalog: Catalog, started: datetime) -> str:
        """An id such as `20260501T020000Z-1a2b3c4d`; ids sort by time, also when a clock was set back."""
        return f"{compact(in_order(started, max(self.ids(catalog), default=None)))}-{new_id()}"

    def finish(self, host: DrillHost, body: Body, outcome: Outcome, started: datetime) -> Record[Body]:
        """Write what was found into the ledger and publish it, signed, in the stack's repository."""
        finished = utcnow()
        report = self.model(
            kind=self.kind,
            version=self.version,
            subject=host.stack,
            started=started,
            finished=finished,
            outcome=outcome,
            fresh_until=finished + timedelta(days=host.objectives.drill_days) if outcome is Outcome.PASSED else None,
            body=body,
        )
        host.ledger.append(report)
        publish(host.store, host.signer, Namespace.DRILL, self._key(host.catalog, body.id), report)
        return report

    def all(self, catalog: Catalog) -> list[Record[Body]]:
        """All of the stack that a trusted machine signed, oldest first. Raises IntegrityError, which names it, for one
        whose signature or form does not hold."""
        return [self._read(catalog, drill_id) for drill_id in self.ids(catalog)]

    def one(self, catalog: Catalog, drill_id: str) -> Record[Body]:
        """Read one and verify its signature. Raises SettingsError when there is none of this id, IntegrityError."""
        if drill_id not in self.ids(catalog):
            raise SettingsError(f"there is no drill {drill_id}", where=catalog.store.where, hint="opsctl drill list")
        return self._read(catalog, drill_id)

    def ids(self, catalog: Catalog) -> list[str]:
        """The ids of all that lie there, oldest first; none of them has been read."""
        prefix = self.prefix(catalog.stack)
        return sorted(item.key[len(prefix) : -len(_END)] for item in catalog.store.list(prefix, ending=_END))

    def _read(self, catalog: Catalog, drill_id: str) -> Record[Body]:
        key = self._key(catalog, drill_id)
        report = parse_versioned(self.model, get(catalog.store, key), what=key, version=self.version)
        fetch(catalog.store, catalog.verifier, Namespace.DRILL, key, at=report.finished)
        if (report.body.id, report.subject, report.kind) != (drill_id, catalog.stack, self.kind):
            raise IntegrityError(f"{key} describes another drill: {report.subject}/{report.body.id}")
        return report

    def _key(self, catalog: Catalog, drill_id: str) -> str:
        return f"{self.prefix(catalog.stack)}{drill_id}{_END}"
