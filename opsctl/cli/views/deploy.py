"""The answers of `opsctl deploy`."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import wrap
from opsctl.cli.words import printable, when
from opsctl.core.errors import ExitCode
from opsctl.core.words import counted
from opsctl.deploy.application import Applied, Missed
from opsctl.deploy.drift import SIGNING_KEY, Difference
from opsctl.deploy.plan import Change
from opsctl.deploy.run import Drifted, Seen

_SIGNS = {"install": "+", "create": "+", "change": "~", "remove": "-", "run": ">"}
_STYLES = {"+": "green", "-": "red", "~": "yellow", ">": "cyan"}


class HostPlan(BaseModel):
    """One host: what would change, in order, or why that is not known. `file` is where the plan is kept."""

    host: str
    changes: tuple[Change, ...]
    plan_sha256: str | None
    file: Path | None
    error: str | None


class DeployPlan(Document):
    """What would change on each host."""

    kind: Literal["deploy-plan"] = "deploy-plan"
    hosts: tuple[HostPlan, ...]


class HostApplied(BaseModel):
    """One host: `applied`, `unchanged`, or `failed` and why (`error`). `notes`: what else is to be said.

    `missed` is what others than the host refused, such as a certificate; the next plan has it again. `public_keys` are
    those that the host made for itself, by their paths there; `allowed_signers` is the file on this machine by which
    others believe what it signs.
    """

    host: str
    plan_sha256: str
    result: str
    changes: int
    missed: tuple[Missed, ...]
    notes: tuple[str, ...]
    public_keys: dict[str, str]
    allowed_signers: Path | None
    error: str | None
    hint: str | None


class DeployApply(Document):
    """What was changed: all of each plan, or nothing. `result` is that of all hosts, or `partly` where they differ."""

    kind: Literal["deploy-apply"] = "deploy-apply"
    result: str
    hosts: tuple[HostApplied, ...]


class HostDrift(BaseModel):
    """One host: the changes that would bring it back, what else differs, or why that is not known (`error`).

    `since` is when it was last deployed or accepted (UTC); None where nothing was kept to compare the rest with.
    """

    host: str
    since: datetime | None
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    error: str | None


class DeployDrift(Document):
    """What is no longer as it was deployed."""

    kind: Literal["deploy-drift"] = "deploy-drift"
    hosts: tuple[HostDrift, ...]


def planned(seen: Sequence[Seen], files: Sequence[Path]) -> DeployPlan:
    """Collect."""
    kept = {file.name.removesuffix(".plan.json"): file for file in files}
    return DeployPlan(
        hosts=tuple(
            HostPlan(
                host=each.host,
                changes=each.plan.changes if each.plan else (),
                plan_sha256=each.plan.digest if each.plan else None,
                file=kept.get(each.host),
                error=str(each.error) if each.error else None,
            )
            for each in seen
        )
    )


def plan_text(document: DeployPlan, paint: Painter) -> Iterator[str]:
    """Write each host's changes, then how to make them."""
    for host in document.hosts:
        if host.error is not None:
            yield f"{paint(host.host, 'bold')}: {paint('could not be looked at', 'red')}: {printable(host.error)}"
        elif not host.changes:
            yield f"{paint(host.host, 'bold')}: {paint('nothing to change', 'green')}"
        else:
            yield f"{paint(host.host, 'bold')}: {counted(len(host.changes), 'change')}"
            for change in host.changes:
                yield from change_text(change, paint)
            if host.file is not None:
                yield f"Make them: opsctl deploy apply {host.file}"


def change_text(change: Change, paint: Painter) -> Iterator[str]:
    """Write one change and the lines that differ."""
    sign = _SIGNS[change.verb]
    guarded = "  (taken back unless somebody gets in afterwards)" if change.guarded else ""
    yield f"  {paint(sign, _STYLES[sign])} {printable(change.what)}{guarded}"
    for line in change.diff:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else None
        yield f"      {paint(printable(line), style)}"


def applied(done: Sequence[Applied]) -> DeployApply:
    """Collect."""
    hosts = tuple(
        HostApplied(
            host=each.plan.target.host,
            plan_sha256=each.plan.digest,
            result=each.result,
            changes=len(each.plan.changes) - len(each.missed),
            missed=each.missed,
            notes=each.notes,
            public_keys=dict(each.public_keys),
            allowed_signers=each.allowed_signers,
            error=str(each.error) if each.error else None,
            hint=each.error.hint if each.error else None,
        )
        for each in done
    )
    results = {each.result for each in hosts}
    return DeployApply(result=results.pop() if len(results) == 1 else "partly", hosts=hosts)


def apply_code(done: Sequence[Applied]) -> ExitCode:
    """3 when something failed on some hosts, or of some; the reason of the first when it did on all."""
    errors = [each.error for each in done if each.error is not None]
    if not errors:
        return ExitCode.PARTIAL if any(each.missed for each in done) else ExitCode.DONE
    return errors[0].exit_code if len(errors) == len(done) else ExitCode.PARTIAL


def apply_text(document: DeployApply, paint: Painter) -> Iterator[str]:
    """Write what was done on each host."""
    for host in document.hosts:
        name = paint(host.host, "bold")
        if host.error is not None:
            yield f"{name}: {paint('not changed', 'red')}"
            for line in wrap(printable(host.error) + (f"; {host.hint}" if host.hint else ""), 76):
                yield f"  {line}"
        elif host.result == "unchanged":
            yield f"{name}: nothing to change"
        else:
            yield f"{name}: {counted(host.changes, 'change')} {paint('applied', 'green')}"
        yield from missed_text(host.missed, paint)
        for note in host.notes:
            yield from (f"  {line}" for line in wrap(printable(note), 76))
        yield from _keys(host)


def _keys(host: HostApplied) -> Iterator[str]:
    if host.allowed_signers is not None:
        yield "  A drill host believes its backups by the lines of"
        yield f"    {host.allowed_signers}"
    for path, key in sorted(host.public_keys.items()):
        if path != SIGNING_KEY:
            yield f"  To be let in by the repository's server ({path}):"
            yield f"    {printable(key)}"


def missed_text(missed: Sequence[Missed], paint: Painter) -> Iterator[str]:
    """Write what could not be had, and why."""
    for each in missed:
        yield f"  {paint('NOT DONE', 'red')}: {printable(each.what)}"
        for line in filter(str.strip, each.why.splitlines()):
            yield from textwrap.wrap(printable(line), 78, initial_indent="      ", subsequent_indent="      ")
    if missed:
        yield "  All else works. Mend the cause, then plan and apply again."


def drifted(seen: Sequence[Drifted]) -> DeployDrift:
    """Collect."""
    return DeployDrift(
        hosts=tuple(
            HostDrift(
                host=each.host,
                since=each.body.since if each.body else None,
                changes=each.plan.changes if each.plan else (),
                differences=each.body.differences if each.body else (),
                error=str(each.error) if each.error else None,
            )
            for each in seen
        )
    )


def drift_code(seen: Sequence[Drifted]) -> ExitCode:
    """4 when anything differs; else 3 when something could not be looked at, or compared with anything."""
    if any(each.body and (each.body.planned or each.body.differences) for each in seen):
        return ExitCode.FINDINGS
    if errors := [each.error for each in seen if each.error is not None]:
        return errors[0].exit_code if len(errors) == len(seen) else ExitCode.PARTIAL
    return ExitCode.PARTIAL if any(each.body and each.body.since is None for each in seen) else ExitCode.DONE


def drift_text(document: DeployDrift, paint: Painter) -> Iterator[str]:
    """Write each host's differences, what a plan mends first."""
    for host in document.hosts:
        name = paint(host.host, "bold")
        if host.error is not None:
            yield f"{name}: {paint('could not be looked at', 'red')}: {printable(host.error)}"
            continue
        count = len(host.changes) + len(host.differences)
        if host.since is None:
            yield f"{name}: {paint('nothing is kept to compare with', 'yellow')}; keep it: opsctl deploy drift --accept"
        elif not count:
            yield f"{name}: {paint('as it was deployed', 'green')} ({when(host.since)})"
        if count:
            yield f"{name}: {paint(counted(count, 'difference'), 'red')}"
        for change in host.changes:
            yield from change_text(change, paint)
        for each in host.differences:
            sign = {"added": "+", "removed": "-", "changed": "~"}[each.how]
            yield f"  {paint(sign, _STYLES[sign])} {printable(each.what)}"
            for mark, text in (("-", each.before), ("+", each.now)):
                if text is not None:
                    yield f"      {paint(mark + printable(text), 'red' if mark == '-' else 'green')}"
