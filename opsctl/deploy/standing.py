"""`deploy status` and `deploy unlock`: how deployments of a host stand, and an end to what keeps others from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.ledger import Ledger
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.reach import agent_on, at_once, chosen, target_of
from opsctl.deploy.records import UnlockBody, Who, write_unlock


class Words(BaseModel):
    """Who changes a host, since when (UTC) and why, in the words that they left there."""

    model_config = ConfigDict(frozen=True)

    who: str = ""
    since: str = ""
    why: str = ""
    actor: str = ""
    origin: str = ""


class Holder(Words):
    """Who holds the lock of a host: the plan that is applied, the process there and its systemd unit."""

    plan: str | None = None
    pid: int
    unit: str | None


class Waiting(BaseModel):
    """The plan that is taken back in so many seconds unless somebody confirms it; None when that is not known."""

    model_config = ConfigDict(frozen=True)

    id: str
    seconds: int | None


class Application(BaseModel):
    """One application of a plan to a host, or a release of a `site`, as the host has it in its journal; times are UTC.

    `because` says why it was taken back: it failed, was interrupted, unconfirmed, or unlocked. `missed` is what others
    than the host refused, such as a certificate; the rest was applied.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    sha256: str
    stack: str
    host: str
    changes: int
    site: str | None = None
    who: Words
    began: datetime
    ended: datetime | None
    state: Literal["running", "waiting", "interrupted", "applied", "undone"]
    because: str | None
    said: str | None
    missed: tuple[str, ...] = ()


class State(BaseModel):
    """How deployments of a host stand; `applications` are the last ones, the newest first."""

    model_config = ConfigDict(frozen=True)

    lock: Holder | None
    waiting: Waiting | None
    applications: tuple[Application, ...]

    @property
    def unfinished(self) -> bool:
        """Whether something waits for a confirmation or was interrupted."""
        return self.waiting is not None or any(each.state == "interrupted" for each in self.applications)


@dataclass(frozen=True)
class Standing:
    """What came of one host: how its deployments stand, or why that is not known."""

    host: str
    state: State | None
    error: OpsError | None


class Unlocked(BaseModel):
    """What an unlock has ended: the unit that held the lock; plans taken back, some of which nobody had finished."""

    model_config = ConfigDict(frozen=True)

    stopped: Holder | None
    taken_back: tuple[str, ...]
    recovered: tuple[str, ...]
    unrecorded: str | None = Field(None)


def standings(inventory: Inventory, names: Sequence[str], *, user: str | None) -> list[Standing]:
    """Ask hosts, all of them when none is named. Nothing is changed, and no lock is taken."""

    def ask(host: HostSection) -> Standing:
        target = target_of(inventory, host, user)
        try:
            with agent_on(target, target.user) as agent:
                return Standing(host.name, State.model_validate(agent.status()), None)
        except OpsError as error:
            return Standing(host.name, None, error)

    return at_once(ask, chosen(inventory, names))


def unlock(inventory: Inventory, name: str, who: Who, ledger: Ledger, *, user: str | None) -> Unlocked:
    """End what holds a host, take back what it did, and record that. Raises OpsError, LockedError for a stranger."""
    started, target = utcnow(), target_of(inventory, inventory.host(name), user)
    with agent_on(target, target.user) as agent:
        done = Unlocked.model_validate(agent.unlock(who.words("unlocking")))
    body = UnlockBody(
        host=name,
        actor=who.actor,
        origin=who.origin,
        stopped=done.stopped.unit if done.stopped else None,
        taken_back=(*done.taken_back, *done.recovered),
    )
    write_unlock(ledger, inventory.stack.name, body, started)
    return done
