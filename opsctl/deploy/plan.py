"""Plans: what has to change on a host, seen before it happens, signed, and refused once the host is another one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.canonical import canonical, parse_versioned, sha256_hex
from opsctl.core.clock import new_id, utcnow
from opsctl.core.errors import OpsError
from opsctl.core.ssh import SshAccount
from opsctl.deploy.resource import Base, Found, Verb
from opsctl.deploy.resources import Absent, Desired, File, Package, Resource

VERSION = 1


class Change(BaseModel):
    """One change as a person sees it: what is done to what, the lines that differ. Secrets are not in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: Verb
    what: str
    guarded: bool
    diff: tuple[str, ...] = ()


class Target(BaseModel):
    """Where a plan is applied: the account that changes the host, and the one that has to get in afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    address: str
    port: int
    host_key: str
    key_file: Path
    timeout_s: float
    user: str
    confirm_user: str

    def account(self, user: str) -> SshAccount:
        """An account on the host."""
        return SshAccount(
            host=self.address,
            port=self.port,
            user=user,
            key_file=self.key_file,
            host_keys=(self.host_key,),
            timeout_s=self.timeout_s,
        )


class Plan(BaseModel):
    """All changes of one host. `states` are the agent's fingerprints of what the plan has seen, by resource.

    A plan holds the files that it will write; kept, it is `sealed`: of secret ones only their digests. Who applies it
    takes the contents from beside the `inventory`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["opsctl-plan"] = "opsctl-plan"
    version: int = VERSION
    id: str
    stack: str
    target: Target
    made: datetime
    by: str
    inventory: Path | None
    fingerprint: str
    states: dict[str, str]
    desired: Desired
    changed: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 by which audits name it."""
        return sha256_hex(canonical(self.sealed()))

    def sealed(self) -> "Plan":
        """The same without the contents of secret files."""
        return self._with(each.sealed() if isinstance(each, File) else each for each in self.desired.resources)

    def opened(self, desired: Desired) -> "Plan":
        """The same with the contents of the secret files that it changes. Raises OpsError when they are other ones."""
        there = {each.key: each for each in desired.resources if isinstance(each, File)}
        return self._with(
            _opened(each, there.get(each.key)) if isinstance(each, File) and each.key in self.changed else each
            for each in self.desired.resources
        )

    def _with(self, resources: Iterable[Resource]) -> "Plan":
        desired = self.desired.model_copy(update={"resources": tuple(resources)})
        return self.model_copy(update={"desired": desired})


def parse_plan(data: bytes, what: str) -> Plan:
    """Read a plan whose signature was verified. Raises IntegrityError for an unknown version or form."""
    return parse_versioned(Plan, data, what=what, version=VERSION)


def _opened(sealed: File, now: File | None) -> File:
    if sealed.content is not None:
        return sealed
    if now is None or now.digest != sealed.digest:
        raise OpsError(
            "the secret in this file is another one than the plan has seen",
            where=sealed.path,
            hint="make a new plan: opsctl deploy plan",
        )
    return sealed.model_copy(update={"content": now.content, "sha256": None})


def make_plan(
    desired: Desired, seen: Mapping[str, Any], *, stack: str, target: Target, by: str, inventory: Path | None = None
) -> Plan:
    """Compare what shall be with what the agent saw. Pure, but for the id and the time."""
    states: Mapping[str, Found] = seen["states"]
    differing = [each for each in desired.resources if each.differs(states.get(each.key))]
    coming = {each.name for each in differing if isinstance(each, Package)}
    brought = [each for each in desired.resources if isinstance(each, Absent) and each.package in coming]
    differing = [each for each in desired.resources if each in differing or each in brought]
    return Plan(
        id=new_id(),
        stack=stack,
        target=target,
        made=utcnow(),
        by=by,
        inventory=inventory,
        fingerprint=seen["fingerprint"],
        states=dict(seen["fingerprints"]),
        desired=desired,
        changed=tuple(each.key for each in differing),
        changes=tuple(_change(each, states.get(each.key)) for each in differing),
    )


def _change(resource: Base, found: Found) -> Change:
    verb = resource.verb or ("create" if found is None else "change")
    return Change(verb=verb, what=resource.what, guarded=resource.guarded, diff=tuple(resource.diff(found)))
