"""`deploy apply`: plans of several hosts at the same time, each all or nothing, with its result in the ledger."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode, OpsError, SettingsError, UnreachableError
from opsctl.core.ledger import Ledger
from opsctl.deploy.access import refuse_lockout
from opsctl.deploy.drift import Memory
from opsctl.deploy.plan import Plan
from opsctl.deploy.reach import agent_on, at_once, when_free
from opsctl.deploy.records import DeployBody, Who, write
from opsctl.deploy.resources import Program


@dataclass(frozen=True)
class Terms:
    """How to apply: why, how long nobody may get in before it is taken back, how long to wait for others (seconds)."""

    why: str
    revert_s: int
    lock_wait_s: float


class Missed(BaseModel):
    """What others than the host have refused, such as an authority: what, and their words. The rest was applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    why: str


@dataclass(frozen=True)
class Applied:
    """What came of one plan: `applied`, `unchanged`, or `failed` and why nothing was changed.

    `missed` is what of it could not be had; `notes`, what else has to be said; `took`, each phase's time (seconds).
    `public_keys` are those that the host made for itself, by their paths there; `allowed_signers` is the file here by
    which others believe what it signs.
    """

    plan: Plan
    result: str
    error: OpsError | None = None
    missed: tuple[Missed, ...] = ()
    notes: tuple[str, ...] = ()
    took: Mapping[str, float] = field(default_factory=dict)
    public_keys: Mapping[str, str] = field(default_factory=dict)
    allowed_signers: Path | None = None


def apply_all(plans: Sequence[Plan], ledger: Ledger, state_dir: Path, who: Who, terms: Terms) -> list[Applied]:
    """Apply plans, one of a host; what fails on one leaves the others alone. Raises SettingsError for two of one host.

    The result of each is in the ledger, and what its host is like afterwards is kept, to find drift by.
    """
    ways = [(plan.target.address, plan.target.port) for plan in plans]
    if len(set(ways)) < len(ways):
        raise SettingsError("two of these plans are of the same host", hint="apply the newer one, by itself")

    def work(plan: Plan) -> Applied:
        try:
            return apply(plan, ledger, Memory(state_dir, plan.stack), who, terms)
        except OpsError as error:
            return Applied(plan, "failed", error)

    return at_once(work, plans)


def apply(plan: Plan, ledger: Ledger, memory: Memory, who: Who, terms: Terms) -> Applied:
    """Make a plan's changes and, where they could have locked us out, prove that they have not; record it.

    Raises OpsError when nothing was changed, or when what was is about to be taken back, since nobody gets in any more.
    """
    started, came = utcnow(), Applied(plan, "failed")
    try:
        refuse_lockout(plan.desired, plan.target)
        came = _apply(plan, who, terms) if plan.changed else Applied(plan, "unchanged")
    except UnreachableError:
        came = Applied(plan, "open")
        raise
    finally:
        body = DeployBody(
            host=plan.target.host,
            plan_id=plan.id,
            plan_sha256=plan.digest,
            actor=who.actor,
            origin=who.origin,
            changes=len(plan.changes),
            result=came.result,
            missed=tuple(each.what for each in came.missed),
        )
        write(ledger, plan.stack, body, started, utcnow())
    if plan.changed:
        _keep(plan, memory)
    keys, signers = memory.public_keys(plan.target.host), memory.allowed_signers(plan.target.host)
    return replace(came, public_keys=keys, allowed_signers=signers if signers.exists() else None)


def _apply(plan: Plan, who: Who, terms: Terms) -> Applied:
    with agent_on(plan.target, plan.target.user) as agent:
        agent.carry([each for each in plan.desired.resources if isinstance(each, Program) and each.key in plan.changed])
        words = who.words(terms.why)
        answer = when_free(agent, lambda: agent.apply(plan, who=words, revert_s=terms.revert_s), terms.lock_wait_s)
    made = time.monotonic()
    if answer["confirm"]:
        answer = {**answer, **_confirm(plan, terms.revert_s)}
    missed = tuple(Missed.model_validate(each) for each in answer["missed"])
    took = {**answer["took"], "confirmation": round(time.monotonic() - made, 1)}
    return Applied(plan, "applied", missed=missed, notes=_notes(answer), took=took)


def _confirm(plan: Plan, revert_s: int) -> Mapping[str, Any]:
    """Come in anew, by the account and the way that are there from now on."""
    try:
        with agent_on(plan.target, plan.target.confirm_user) as agent:
            return agent.confirm(plan.id)
    except OpsError as error:
        raise OpsError(
            f"nobody gets in after the change, which is taken back within {revert_s} s: {error.message}",
            where=error.where,
            hint="wait, then look at the access, SSH and firewall of the inventory",
            exit_code=error.exit_code,
        ) from error


def _keep(plan: Plan, memory: Memory) -> None:
    """Keep what the host is like now. Raises OpsError, which says that the change itself is made."""
    try:
        with agent_on(plan.target, plan.target.confirm_user) as agent:
            memory.keep(plan.target.host, agent.survey())
    except OpsError as error:
        raise OpsError(
            f"it is applied, but what the host is like now could not be kept: {error.message}",
            where=error.where,
            hint="keep it, so that drift is found: opsctl deploy drift --accept",
            exit_code=ExitCode.PARTIAL,
        ) from error


def _notes(answer: Mapping[str, Any]) -> tuple[str, ...]:
    notes = [f"taken back first, since it had been interrupted: {each}" for each in answer.get("recovered", ())]
    if why := answer.get("unrecorded"):
        notes.append(f"the host's own ledger has not taken it, the next apply tries again: {why}")
    return tuple(notes)
