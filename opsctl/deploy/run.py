"""`deploy plan` and `deploy drift`: hosts at the same time, plans signed and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opsctl.core.canonical import canonical
from opsctl.core.clock import utcnow
from opsctl.core.durable import replace_file
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.ledger import Ledger
from opsctl.core.machine import TrustSection
from opsctl.core.signing import Namespace, Signer, Verifier
from opsctl.deploy.access import refuse_lockout
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.drift import DriftBody, Memory, body_of
from opsctl.deploy.drift import record as record_drift
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory, load_inventory
from opsctl.deploy.plan import Plan, make_plan, parse_plan
from opsctl.deploy.reach import agent_on, at_once, chosen, target_of
from opsctl.deploy.records import Who
from opsctl.deploy.resources import File

ENDING = ".plan.json"
SIGNATURE = ".sig"


@dataclass(frozen=True)
class Seen:
    """What came of one host: its plan, or why there is none."""

    host: str
    plan: Plan | None
    error: OpsError | None


def plan_hosts(inventory: Inventory, names: Sequence[str], who: Who, *, user: str | None) -> list[Seen]:
    """Look at hosts, all of them when none is named, and plan each. A host that cannot be looked at says why."""

    def look(host: HostSection) -> Seen:
        try:
            return Seen(host.name, plan_host(inventory, host, who, user), None)
        except OpsError as error:
            return Seen(host.name, None, error)

    return at_once(look, chosen(inventory, names))


def plan_host(inventory: Inventory, host: HostSection, who: Who, user: str | None = None) -> Plan:
    """Look at a host and plan it. Raises OpsError; also when the plan would lock this machine out."""
    target = target_of(inventory, host, user)
    what = desired(inventory, host)
    with agent_on(target, target.user) as agent:
        seen = agent.observe(what.resources)
    refuse_lockout(what, target)
    return make_plan(what, seen, stack=inventory.stack.name, target=target, by=who.actor, inventory=inventory.origin)


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

    def look(host: HostSection) -> Drifted:
        started = utcnow()
        try:
            plan = plan_host(inventory, host, who)
            with agent_on(plan.target, plan.target.user) as agent:
                now = agent.survey()
            if accept:
                memory.keep(host.name, now)
            body = body_of(plan, now, memory.of(host.name))
            record_drift(ledger, inventory.stack.name, body, started)
            return Drifted(host.name, body, plan, None)
        except OpsError as error:
            return Drifted(host.name, None, None, error)

    return at_once(look, chosen(inventory, names))


def save(plan: Plan, directory: Path, trust: TrustSection) -> Path:
    """Write a plan and its signature, readable to nobody else: it holds what is written to the host, but no secret."""
    path = directory / f"{plan.target.host}{ENDING}"
    data = canonical(plan.sealed())
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


def with_secrets(plan: Plan, identity_files: tuple[Path, ...]) -> Plan:
    """A plan that was kept, with the secrets that it writes, from beside its inventory.

    Raises OpsError when they are others by now; SettingsError, AuthError when they cannot be had.
    """
    sealed = [each for each in plan.desired.resources if isinstance(each, File) and each.content is None]
    if not any(each.key in plan.changed for each in sealed):
        return plan
    if plan.inventory is None:
        raise SettingsError("the plan does not say where its secrets are", where=plan.target.host)
    inventory = load_inventory(plan.inventory, identity_files)
    return plan.opened(desired(inventory, inventory.host(plan.target.host)))
