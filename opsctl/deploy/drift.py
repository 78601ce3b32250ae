"""Drift: what is no longer as it was deployed, whether a plan names it or somebody has added it.

After each apply, and after each look that a person has accepted, the survey of the host is kept on this machine, where
who owns the host cannot change it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.canonical import canonical, parse_versioned
from opsctl.core.clock import utcnow
from opsctl.core.durable import replace_file
from opsctl.core.ledger import Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.signing import allowed_signers_line
from opsctl.deploy.plan import Change, Plan

KIND = "drift"
VERSION = 1
FRESH = timedelta(days=8)
DIRECTORY = "deploy"
PUBLIC_KEY = "public key "
SIGNING_KEY = "/etc/opsctl/signing_key.pub"


class Surveyed(BaseModel):
    """The survey of a host at a time (UTC)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    at: datetime
    found: dict[str, str]


class Difference(BaseModel):
    """One thing that is not as it was: what it is, what it was like, what it is like now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    how: Literal["added", "removed", "changed"]
    what: str
    before: str | None
    now: str | None


class DriftBody(BaseModel):
    """The body of a record of kind `drift`: planned things that differ, and everything else that does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    since: datetime | None
    planned: tuple[str, ...]
    differences: tuple[Difference, ...]


class Memory:
    """The surveys kept on this machine, one for each host of a stack."""

    def __init__(self, state_dir: Path, stack: str) -> None:
        self._directory, self._stack = state_dir / DIRECTORY / stack, stack

    def keep(self, host: str, found: Mapping[str, str]) -> None:
        """From now on, this is how the host is to be. The key that it signs with is added to those it had before."""
        replace_file(self._path(host), canonical(Surveyed(at=utcnow(), found=dict(found))))
        key = found.get(f"{PUBLIC_KEY}{SIGNING_KEY}")
        if key is not None:
            path = self.allowed_signers(host)
            lines = path.read_text().splitlines(keepends=True) if path.exists() else []
            line = allowed_signers_line(f"{host}@{self._stack}", key)
            replace_file(path, "".join([*(each for each in lines if each != line), line]).encode())

    def allowed_signers(self, host: str) -> Path:
        """The file by which others believe what the host signs, in OpenSSH's form; absent while it has no key."""
        return self._directory / f"{host}.allowed_signers"

    def public_keys(self, host: str) -> dict[str, str]:
        """The public keys that the host made for itself, by the paths there, as of the last survey."""
        kept = self.of(host)
        found = kept.found if kept is not None else {}
        return {name.removeprefix(PUBLIC_KEY): key for name, key in found.items() if name.startswith(PUBLIC_KEY)}

    def of(self, host: str) -> Surveyed | None:
        """How the host is to be; None when it was never kept. Raises IntegrityError for what cannot be read."""
        path = self._path(host)
        return parse_versioned(Surveyed, path.read_bytes(), what=str(path), version=VERSION) if path.exists() else None

    def _path(self, host: str) -> Path:
        return self._directory / f"{host}.survey.json"


def compare(before: Mapping[str, str], now: Mapping[str, str], planned: tuple[Change, ...]) -> tuple[Difference, ...]:
    """What was added, removed and changed; not again what the plan has shown already."""
    shown = {change.what.rstrip("/") for change in planned}
    lines = tuple(f"line of {path} " for path in shown)
    found = []
    for what in sorted(before.keys() | now.keys()):
        was, is_now = before.get(what), now.get(what)
        if was == is_now or what in shown or what.removeprefix("file ") in shown or what.startswith(lines):
            continue
        how: Literal["added", "removed", "changed"] = (
            "added" if was is None else "removed" if is_now is None else "changed"
        )
        found.append(Difference(how=how, what=what, before=was, now=is_now))
    return tuple(found)


def record(ledger: Ledger, stack: str, body: DriftBody, started: datetime) -> None:
    """Write what was found into the ledger, for the rules; a host that was never kept could not be judged."""
    if body.planned or body.differences:
        outcome = Outcome.FAILED
    else:
        outcome = Outcome.PASSED if body.since is not None else Outcome.COULD_NOT_RUN
    finished = utcnow()
    ledger.append(
        Record[DriftBody](
            kind=KIND,
            version=VERSION,
            subject=f"{stack}/{body.host}",
            started=started,
            finished=finished,
            outcome=outcome,
            fresh_until=finished + FRESH if outcome is Outcome.PASSED else None,
            body=body,
        )
    )


def body_of(plan: Plan, now: Mapping[str, str], kept: Surveyed | None) -> DriftBody:
    """Judge a host by the plan that would be made for it now, and by its survey."""
    differences = compare(kept.found, now, plan.changes) if kept is not None else ()
    return DriftBody(
        host=plan.target.host,
        since=kept.at if kept else None,
        planned=tuple(change.what for change in plan.changes),
        differences=differences,
    )
