"""`deploy bootstrap`: a bare host with a key of root's becomes what its inventory says, and a second plan proves it.

Whatever interrupted it, it is run again: what was not whole is taken back, what waits for a confirmation is confirmed.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from opsctl.core.errors import AuthError, OpsError, SettingsError
from opsctl.core.ledger import Ledger
from opsctl.core.progress import Progress
from opsctl.core.words import counted
from opsctl.deploy import run
from opsctl.deploy.access import refuse_lockout
from opsctl.deploy.application import Missed, Terms, apply
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.drift import Memory
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.plan import Plan
from opsctl.deploy.reach import agent_on, target_of
from opsctl.deploy.records import Who


@dataclass(frozen=True)
class Operator:
    """Who makes the host, and where that is written down."""

    who: Who
    ledger: Ledger
    memory: Memory
    progress: Progress


@dataclass(frozen=True)
class Made:
    """What came of it: the plan, None where another run had made its changes; and each phase's time (seconds).

    `planned` is a dry run; `made` and `finished` are proved by a second plan that was empty, but for what was `missed`.
    """

    result: Literal["planned", "made", "finished"]
    plan: Plan | None
    took: Mapping[str, float]
    missed: tuple[Missed, ...] = ()


def the_host(inventory: Inventory, name: str | None) -> HostSection:
    """The host of that name, or the only one. Raises SettingsError."""
    if name is None and len(inventory.hosts) > 1:
        names = ", ".join(host.name for host in inventory.hosts)
        raise SettingsError("which host?", hint=f"name one with --host: {names}")
    return inventory.host(name) if name is not None else inventory.hosts[0]


def bootstrap(
    inventory: Inventory, host: HostSection, operator: Operator, terms: Terms, *, user: str, dry_run: bool
) -> Made:
    """Make a bare host, which lets `user` in, what the inventory says, and prove that nothing is left to change.

    Raises OpsError; also for a host whose operations account is there already.
    """
    began = time.monotonic()
    operator.progress.step(f"Looking at {host.name}")
    refuse_lockout(desired(inventory, host), target_of(inventory, host, user))
    if not dry_run and _finish_interrupted(inventory, host, operator, user):
        operator.progress.step("Planning again, which has to find nothing")
        return Made("finished", None, {"second plan": _prove(inventory, host, operator, terms, ())})
    plan = run.plan_host(inventory, host, operator.who, user)
    if not any(change.guarded for change in plan.changes):
        raise _deployed(host)
    took = {"plan": round(time.monotonic() - began, 1)}
    if dry_run:
        return Made("planned", plan, took)
    operator.progress.step(f"Making {counted(len(plan.changes), 'change')}, which takes minutes")
    done = apply(plan, operator.ledger, operator.memory, operator.who, terms)
    took |= done.took
    operator.progress.step("Planning again, which has to find nothing")
    took["second plan"] = _prove(inventory, host, operator, terms, done.missed)
    return Made("made", plan, took, done.missed)


def _finish_interrupted(inventory: Inventory, host: HostSection, operator: Operator, user: str) -> bool:
    """Take back what an interrupted run has left, or confirm it where it is whole: then True.

    Raises OpsError for a host that is deployed, AuthError for one that lets nobody in.
    """
    target = target_of(inventory, host, user)
    try:
        with agent_on(target, user) as agent:
            waiting = agent.resume()
    except AuthError as error:
        waiting = _by_operations(inventory, host, user, error)
    if waiting is None:
        return False
    with agent_on(target, inventory.access.user) as agent:
        agent.confirm(waiting)
        operator.memory.keep(host.name, agent.survey())
    return True


def _by_operations(inventory: Inventory, host: HostSection, user: str, refused: AuthError) -> str | None:
    """The same by the operations account: `user`'s way in is closed by a change that is made, or half made."""
    target = target_of(inventory, host, user)
    try:
        with agent_on(target, inventory.access.user) as agent:
            waiting = agent.resume()
    except AuthError:
        raise refused from None
    if waiting is None:
        with agent_on(target, user) as agent:
            try:
                agent.observe(())
            except AuthError:
                raise _deployed(host) from None
    return waiting


def _prove(
    inventory: Inventory, host: HostSection, operator: Operator, terms: Terms, missed: tuple[Missed, ...]
) -> float:
    """Plan again as the operations account, and apply the nothing that there is; the seconds that it took.

    Raises OpsError when something is left besides what was missed.
    """
    began = time.monotonic()
    rest = run.plan_host(inventory, host, operator.who, inventory.access.user)
    left = [change.what for change in rest.changes if change.what not in {each.what for each in missed}]
    if left:
        raise OpsError(
            f"the changes were made, and still {counted(len(left), 'change')} would be: {', '.join(left[:5])}",
            where=host.name,
            hint="see what they are: opsctl deploy plan INVENTORY",
        )
    if not rest.changes:
        apply(rest, operator.ledger, operator.memory, operator.who, terms)
    return round(time.monotonic() - began, 1)


def _deployed(host: HostSection) -> OpsError:
    return OpsError(
        "the host is deployed already: its operations account is there",
        where=host.name,
        hint="see what would change: opsctl deploy plan INVENTORY --out DIR; make it: opsctl deploy apply PLAN",
    )
