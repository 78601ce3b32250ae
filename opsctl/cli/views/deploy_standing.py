"""The answers of `opsctl deploy status` and `opsctl deploy unlock`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures, wrap
from opsctl.cli.words import printable, seconds, when
from opsctl.core.errors import ExitCode
from opsctl.core.words import counted
from opsctl.deploy.records import DeployBody
from opsctl.deploy.standing import Application, Holder, Standing, State, Unlocked

_STYLES = {"applied": "green", "running": "cyan", "waiting": "yellow", "interrupted": "red", "undone": "yellow"}
_BECAUSE = {
    "failed": "it failed",
    "interrupted": "it had been interrupted",
    "unconfirmed": "nobody confirmed it",
    "unlocked": "somebody unlocked the host",
}


class HostStanding(BaseModel):
    """One host: how its deployments stand, or why that is not known (`error`)."""

    host: str
    state: State | None
    error: str | None


class DeployStatus(Document):
    """How the deployments of hosts stand."""

    kind: Literal["deploy-status"] = "deploy-status"
    hosts: tuple[HostStanding, ...]


class DeployUnlock(Document):
    """What was ended on a host, and taken back."""

    kind: Literal["deploy-unlock"] = "deploy-unlock"
    host: str
    done: Unlocked


class DeployAdopt(Document):
    """The applications that this host's ledger did not have yet."""

    kind: Literal["deploy-adopt"] = "deploy-adopt"
    adopted: tuple[DeployBody, ...]


def stands(found: Sequence[Standing]) -> DeployStatus:
    """Collect."""
    return DeployStatus(
        hosts=tuple(
            HostStanding(host=each.host, state=each.state, error=str(each.error) if each.error else None)
            for each in found
        )
    )


def status_code(found: Sequence[Standing]) -> ExitCode:
    """4 when something waits or was interrupted; else, when hosts could not be asked, 3 for some and why for all."""
    if any(each.state is not None and each.state.unfinished for each in found):
        return ExitCode.FINDINGS
    errors = [each.error for each in found if each.error is not None]
    if not errors:
        return ExitCode.DONE
    return errors[0].exit_code if len(errors) == len(found) else ExitCode.PARTIAL


def status_text(document: DeployStatus, paint: Painter) -> Iterator[str]:
    """Write what is in the way first, then what was done last."""
    for host in document.hosts:
        yield paint(host.host, "bold")
        if host.state is None:
            for line in wrap(printable(f"could not be asked: {host.error}"), 76):
                yield f"  {paint(line, 'red')}"
            continue
        yield from figures(list(_rows(host.state)), paint, indent=2)
        for line in _advice(host.host, host.state):
            yield f"  {paint(line, 'yellow')}"


def _rows(state: State) -> Iterator[tuple[str, str]]:
    yield "lock", "free" if state.lock is None else f"held by {_holder(state.lock)}"
    if state.waiting is not None:
        left = "soon" if state.waiting.seconds is None else f"in {seconds(state.waiting.seconds)}"
        yield "waits", f"plan {state.waiting.id} is taken back {left}, unless somebody confirms it"
    if not state.applications:
        yield "last", "nothing was ever applied"
    for number, each in enumerate(state.applications):
        yield "last" if number == 0 else "before", _application(each)


def _holder(holder: Holder) -> str:
    words = holder.who or f"process {holder.pid}"
    words += f" since {holder.since}" if holder.since else ""
    words += f", plan {holder.plan}" if holder.plan else ""
    return printable(f"{words}: {holder.why}" if holder.why else words)


def _application(each: Application) -> str:
    state = "taken back" if each.state == "undone" else each.state
    because = f", because {_BECAUSE.get(each.because, each.because)}" if each.because else ""
    who = f"by {each.who.who}" + (f": {each.who.why}" if each.who.why else "")
    what = f"plan {each.id} (SHA-256 {each.sha256[:12]}…), {counted(each.changes, 'change')}"
    if each.site is not None:
        what = f"release {each.id} of {each.site}"
    return printable(f"{when(each.ended or each.began)}  {state}{because}; {what}, {who}")


def _advice(host: str, state: State) -> Iterator[str]:
    if any(each.state == "interrupted" for each in state.applications):
        yield "Interrupted: the next apply takes it back first, and so does unlock."
    if state.waiting is not None or (state.lock is not None and state.lock.plan is not None):
        yield f"Take it back now: opsctl deploy unlock INVENTORY --host {host} --confirm {host}"


def unlocked(host: str, done: Unlocked) -> DeployUnlock:
    """Collect."""
    return DeployUnlock(host=host, done=done)


def unlock_text(document: DeployUnlock, paint: Painter) -> Iterator[str]:
    """Write what was done, in its order."""
    done, lines = document.done, list[str]()
    if done.stopped is not None:
        lines.append(f"stopped {done.stopped.unit}, which held the lock for {_holder(done.stopped)}")
    lines += [f"took back plan {each}" for each in done.taken_back]
    lines += [f"took back plan {each}, which had been interrupted" for each in done.recovered]
    if done.unrecorded:
        lines.append(f"the host's own ledger has not taken it: {done.unrecorded}")
    yield f"{paint(document.host, 'bold')}: {'unlocked' if lines else 'nothing held it, nothing waited'}"
    for line in lines:
        first, *more = wrap(printable(line), 76)
        yield f"  {first}"
        yield from (f"    {each}" for each in more)


def adopted(bodies: Sequence[DeployBody]) -> DeployAdopt:
    """Collect."""
    return DeployAdopt(adopted=tuple(bodies))


def adopt_text(document: DeployAdopt, paint: Painter) -> Iterator[str]:
    """Write what was new."""
    if not document.adopted:
        yield "The ledger has every deployment that is in the journals."
    for each in document.adopted:
        yield f"plan {each.plan_id} of {printable(each.actor)}: {paint(each.result, 'bold')}"
