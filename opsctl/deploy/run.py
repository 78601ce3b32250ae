"""`deploy plan` and `deploy apply`: hosts at the same time, plans signed and kept, results in the ledger."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from opsctl.core.canonical import canonical
from opsctl.core.clock import utcnow
from opsctl.core.durable import replace_file
from opsctl.core.errors import AuthError, OpsError, SettingsError, UnreachableError
from opsctl.core.ledger import Ledger
from opsctl.core.machine import TrustSection
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.runner_ssh import SshRunner
from opsctl.core.signing import Namespace, Signer, Verifier
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.drift import DriftBody, Memory, body_of
from opsctl.deploy.drift import record as record_drift
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.plan import Plan, Target, make_plan, parse_plan
from opsctl.deploy.remote import Agent

KIND = "deploy"
VERSION = 1
AT_ONCE = 16
ENDING = ".plan.json"
SIGNATURE = ".sig"
T = TypeVar("T")


@dataclass(frozen=True)
class Who:
    """Who deploys: the person and the host they came from."""

    actor: str
    origin: str


@dataclass(frozen=True)
class Seen:
    """What came of one host: its plan, or why there is none."""

    host: str
    plan: Plan | None
    error: OpsError | None


class Missed(BaseModel):
    """What others than the host have refused, such as an authority: what, and their words. The rest was applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    why: str


@dataclass(frozen=True)
class Applied:
    """What came of a plan: `applied` or `unchanged`, and what of it could not be had."""

    result: str
    missed: tuple[Missed, ...] = ()


class DeployBody(BaseModel):
    """The body of a record of kind `deploy`: which plan (SHA-256) was applied where, by whom, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    plan_id: str
    plan_sha256: str
    actor: str
    origin: str
    changes: int
    result: str
    missed: tuple[str, ...] = ()


def plan_hosts(inventory: Inventory, names: Sequence[str], who: Who, *, user: str | None) -> list[Seen]:
    """Look at hosts, all of them when none is named, and plan each. A host that cannot be looked at says why."""
    hosts = [inventory.host(name) for name in names] if names else list(inventory.hosts)

    def look(host: HostSection) -> Seen:
        try:
            return Seen(host.name, _plan(inventory, host, who, user or inventory.access.user), None)
        except OpsError as error:
            return Seen(host.name, None, error)

    return _at_once(look, hosts)


def _plan(inventory: Inventory, host: HostSection, who: Who, user: str) -> Plan:
    target = Target(
        host=host.name,
        address=host.address,
        port=host.port,
        host_key=host.host_key,
        key_file=host.key_file,
        timeout_s=host.timeout_s,
        user=user,
        confirm_user=inventory.access.user,
    )
    what = desired(inventory, host)
    with _agent(target, user) as agent:
        seen = agent.observe(what.resources)
    return make_plan(what, seen, stack=inventory.stack.name, target=target, by=who.actor)


@dataclass(frozen=True)
class Drifted:
    """What came of one host: what differs, with the plan that would mend the planned part; or why that is not known."""

    host: str
    body: DriftBody | None
    plan: Plan | None
    error: OpsError | None


def look_for_drift(
    inventory: Inventory, names: Sequence[str], who: Who, ledger: Ledger, memory: Memory, *, accept: bool
) -> list[Drifted]:
    """Compare hosts with their plans and their kept surveys, and record it; with `accept`, keep what is there now."""
    hosts = [inventory.host(name) for name in names] if names else list(inventory.hosts)

    def look(host: HostSection) -> Drifted:
        started = utcnow()
        try:
            plan = _plan(inventory, host, who, inventory.access.user)
            with _agent(plan.target, plan.target.user) as agent:
                now = agent.survey()
            if accept:
                memory.keep(host.name, now)
            body = body_of(plan, now, memory.of(host.name))
            record_drift(ledger, inventory.stack.name, body, started)
            return Drifted(host.name, body, plan, None)
        except OpsError as error:
            return Drifted(host.name, None, None, error)

    return _at_once(look, hosts)


def save(plan: Plan, directory: Path, trust: TrustSection) -> Path:
    """Write a plan and its signature, readable to nobody else: it holds what is written to the host."""
    path = directory / f"{plan.target.host}{ENDING}"
    data = canonical(plan)
    signature = Signer(trust.signing_key).sign(data, Namespace.PLAN)
    for file, content in ((path.with_name(path.name + SIGNATURE), signature), (path, data)):
        replace_file(file, content)
        file.chmod(0o600)
    return path


def read(path: Path, verifier: Verifier) -> Plan:
    """Read a plan that somebody trusted has signed. Raises SettingsError, IntegrityError, SignatureError."""
    try:
        data, signature = path.read_bytes(), path.with_name(path.name + SIGNATURE).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"the plan cannot be read: {error.strerror}", where=str(error.filename), hint="opsctl deploy plan --out DIR"
        ) from error
    verifier.verify(data, signature, Namespace.PLAN, what=str(path))
    return parse_plan(data, str(path))


def apply(plan: Plan, ledger: Ledger, memory: Memory, who: Who, *, why: str, revert_s: int) -> Applied:
    """Make a plan's changes and, where they could have locked us out, prove that they have not; record it all.

    What the host is like afterwards is kept, to find drift by.

    Raises OpsError when nothing was changed, or when what was is about to be taken back, since nobody gets in any more.
    """
    started, came = utcnow(), Applied("failed")
    try:
        came = _apply(plan, memory, who, why, revert_s) if plan.changed else Applied("unchanged")
    except UnreachableError:
        came = Applied("open")
        raise
    finally:
        _record(plan, ledger, who, started, came)
    return came


def _apply(plan: Plan, memory: Memory, who: Who, why: str, revert_s: int) -> Applied:
    words = {"who": f"{who.actor} from {who.origin}", "since": f"{utcnow():%Y-%m-%d %H:%M} UTC", "why": why}
    with _agent(plan.target, plan.target.user) as agent:
        answer = agent.apply(plan, who=words, revert_s=revert_s)
    if answer["confirm"]:
        _confirm(plan, revert_s)
    with _agent(plan.target, plan.target.confirm_user) as agent:
        memory.keep(plan.target.host, agent.survey())
    return Applied("applied", tuple(Missed.model_validate(each) for each in answer["missed"]))


def _confirm(plan: Plan, revert_s: int) -> None:
    """Come in anew, by the account and the way that are there from now on."""
    try:
        with _agent(plan.target, plan.target.confirm_user) as agent:
            agent.confirm(plan.id)
    except (AuthError, UnreachableError, OpsError) as error:
        raise OpsError(
            f"nobody gets in after the change, which is taken back within {revert_s} s: {error.message}",
            where=error.where,
            hint="wait, then look at the access, SSH and firewall of the inventory",
            exit_code=error.exit_code,
        ) from error


@contextlib.contextmanager
def _agent(target: Target, user: str) -> Iterator[Agent]:
    runner = SshRunner(target.account(user))
    try:
        yield Agent(runner, sudo=user != "root")
    finally:
        runner.close()


def _record(plan: Plan, ledger: Ledger, who: Who, started: datetime, came: Applied) -> None:
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
    whole = Outcome.FAILED if came.missed else Outcome.PASSED
    outcomes = {"applied": whole, "unchanged": whole, "open": Outcome.COULD_NOT_RUN}
    ledger.append(
        Record[DeployBody](
            kind=KIND,
            version=VERSION,
            subject=plan.stack,
            started=started,
            finished=utcnow(),
            outcome=outcomes.get(came.result, Outcome.FAILED),
            fresh_until=None,
            body=body,
        )
    )


def _at_once(look: Callable[[HostSection], T], hosts: Sequence[HostSection]) -> list[T]:
    with ThreadPoolExecutor(min(AT_ONCE, len(hosts))) as pool:
        return list(pool.map(look, hosts))
