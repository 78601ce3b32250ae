"""What deployments leave in ledgers: on the operator's machine what was asked for, on the host what was done to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.clock import utcnow
from opsctl.core.ledger import Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome

KIND = "deploy"
UNLOCK = "deploy-unlock"
FULL_RESTORE = "full-restore"
VERSION = 1
_OUTCOMES = {"applied": Outcome.PASSED, "unchanged": Outcome.PASSED, "open": Outcome.COULD_NOT_RUN}


@dataclass(frozen=True)
class Who:
    """Who deploys: the person and the host they came from."""

    actor: str
    origin: str

    def words(self, why: str) -> dict[str, str]:
        """What whoever finds the host locked gets to read."""
        since = f"{utcnow():%Y-%m-%d %H:%M} UTC"
        who = f"{self.actor} from {self.origin}"
        return {"who": who, "since": since, "why": why, "actor": self.actor, "origin": self.origin}


class DeployBody(BaseModel):
    """The body of a record of kind `deploy`: which plan (SHA-256) was applied where, by whom, and what came of it.

    `result` is `applied`, `unchanged`, `failed` or `open` (the connection ended first) where the operator's machine
    tells of it (`told_by`); the host itself tells of `applied`, and why it was taken back otherwise: `failed`,
    `interrupted`, `unconfirmed`, `unlocked`. `missed` is what others than the host refused; the rest was applied.
    `site`: it was no plan but a release of that site, or a rollback, which brings nothing and has no SHA-256.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    plan_id: str
    plan_sha256: str
    actor: str
    origin: str
    changes: int
    site: str | None = None
    result: str
    missed: tuple[str, ...] = ()
    told_by: Literal["operator", "host"] = "operator"


class FullRestoreBody(BaseModel):
    """The body of a record of kind `full-restore`: a host that was lost works again, on what lay off it alone.

    `database` says how far its database reaches. `since` is when it was lost, or when its restore began, where nobody
    said; `total_s` are the seconds from then until its sites answered, `restore_s` those of `opsctl restore` and
    `in_place_s` those of putting it in place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    backup: str
    database: str
    since: datetime
    restore_s: float
    in_place_s: float
    total_s: float
    actor: str
    origin: str


class UnlockBody(BaseModel):
    """The body of a record of kind `deploy-unlock`: who ended what on a host, and the plans that were taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    actor: str
    origin: str
    stopped: str | None
    taken_back: tuple[str, ...]


def write(ledger: Ledger, stack: str, body: DeployBody, started: datetime, finished: datetime) -> None:
    """Write into a ledger what came of a plan; it has failed when a part of it was refused by others."""
    outcome = Outcome.FAILED if body.missed else _OUTCOMES.get(body.result, Outcome.FAILED)
    ledger.append(
        Record[DeployBody](
            kind=KIND,
            version=VERSION,
            subject=stack,
            started=started,
            finished=finished,
            outcome=outcome,
            fresh_until=None,
            body=body,
        )
    )


def write_unlock(ledger: Ledger, stack: str, body: UnlockBody, started: datetime) -> None:
    """Write into a ledger what an unlock has ended."""
    ledger.append(
        Record[UnlockBody](
            kind=UNLOCK,
            version=VERSION,
            subject=stack,
            started=started,
            finished=utcnow(),
            outcome=Outcome.PASSED,
            fresh_until=None,
            body=body,
        )
    )
