"""Layer 4 is tried, not believed: what this machine's own credentials can do to what they have published."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from backup import layout
from backup.copies.run import Destination
from opsctl.core.clock import compact, new_id, utcnow
from opsctl.core.ledger import Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.store.tamper import AttackableStore, tamper

KIND = "immutability"
VERSION = 1
FRESH = timedelta(days=8)
# Long enough for all attacks; what is left of the objects can then be pruned by whoever may delete.
_LOCKED = timedelta(minutes=10)


class TriedAttack(BaseModel):
    """One attack on an object that was published for it: whether the object withstood, and what the store said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    withstood: bool
    said: str | None


class ImmutabilityBody(BaseModel):
    """The body of a record of kind `immutability`. `locked`: whether the objects were locked, as copies are there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    where: str
    locked: bool
    attacks: tuple[TriedAttack, ...]

    @property
    def harmed(self) -> tuple[str, ...]:
        """The attacks that were not withstood."""
        return tuple(attack.name for attack in self.attacks if not attack.withstood)


def try_to_harm(
    destination: Destination, store: AttackableStore, stack: str, ledger: Ledger
) -> Record[ImmutabilityBody]:
    """Publish objects as copies are, attack each in one of the ways that the protocol offers, and record how it went.

    Those that cannot be deleted again stay below `<stack>/canaries/` until whoever may prunes them. Raises what
    publishing raises, and UnreachableError when the store cannot be asked any more; neither is a result.
    """
    started = utcnow()
    prefix = f"{layout.canaries(stack)}{compact(started)}-{new_id()}/"
    locked = destination.locking is not None
    attempts = tamper(store, prefix, retain_until=started + _LOCKED if locked else None)
    body = ImmutabilityBody(
        repository=destination.name,
        where=destination.store.where,
        locked=locked,
        attacks=tuple(TriedAttack(name=each.name, withstood=each.withstood, said=each.said) for each in attempts),
    )
    finished = utcnow()
    outcome = Outcome.FAILED if body.harmed else Outcome.PASSED
    record = Record[ImmutabilityBody](
        kind=KIND,
        version=VERSION,
        subject=stack,
        started=started,
        finished=finished,
        outcome=outcome,
        fresh_until=finished + FRESH if outcome is Outcome.PASSED else None,
        body=body,
    )
    ledger.append(record)
    return record


def last_tried(ledger: Ledger, stack: str) -> dict[str, tuple[datetime, ImmutabilityBody]]:
    """For each repository, by its name, when it was last attacked (UTC) and how that went."""
    records = (entry.record_of(ImmutabilityBody) for entry in ledger.query(KIND, stack))
    return {record.body.repository: (record.finished, record.body) for record in records}
