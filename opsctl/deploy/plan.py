"""Plans: what has to change on a host, seen before it happens, signed, and refused once the host is another one."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.canonical import canonical, parse_versioned, sha256_hex
from opsctl.core.clock import new_id, utcnow
from opsctl.core.ssh import SshAccount
from opsctl.deploy.resources import Base, Desired, Found, Verb

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

    A plan holds the files that it will write, secrets too: keep it as such a file is kept (mode 0600).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["opsctl-plan"] = "opsctl-plan"
    version: int = VERSION
    id: str
    stack: str
    target: Target
    made: datetime
    by: str
    fingerprint: str
    states: dict[str, str]
    desired: Desired
    changed: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 by which audits name it."""
        return sha256_hex(canonical(self))


def parse_plan(data: bytes, what: str) -> Plan:
    """Read a plan whose signature was verified. Raises IntegrityError for an unknown version or form."""
    return parse_versioned(Plan, data, what=what, version=VERSION)


def make_plan(desired: Desired, seen: Mapping[str, Any], *, stack: str, target: Target, by: str) -> Plan:
    """Compare what shall be with what the agent saw. Pure, but for the id and the time."""
    states: Mapping[str, Found] = seen["states"]
    differing = [each for each in desired.resources if each.differs(states.get(each.key))]
    return Plan(
        id=new_id(),
        stack=stack,
        target=target,
        made=utcnow(),
        by=by,
        fingerprint=seen["fingerprint"],
        states=dict(seen["fingerprints"]),
        desired=desired,
        changed=tuple(each.key for each in differing),
        changes=tuple(_change(each, states.get(each.key)) for each in differing),
    )


def _change(resource: Base, found: Found) -> Change:
    verb = resource.verb or ("create" if found is None else "change")
    return Change(verb=verb, what=resource.what, guarded=resource.guarded, diff=tuple(resource.diff(found)))
