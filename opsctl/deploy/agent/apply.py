"""Makes all changes of a bundle, or takes back those it made.

A bundle is a directory: bundle.json (what shall be there, in the order of the changes, and what the plan has seen),
agent.pyz (this program) and, from here on, the journal, the staged tree and what was there before.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import act, check, guard, host
from .journal import Journal
from .observe import Resource, fingerprint, key_of, observe

HOME = Path("/var/lib/opsctl/deploy")
LOCK = HOME / "lock"
BUNDLE = "bundle.json"
STAGE = "stage"
KEPT = 10


class LockedError(host.AgentError):
    """Somebody else changes this host."""


class StaleError(host.AgentError):
    """The host is not as the plan has seen it."""


@contextmanager
def locked(who: dict[str, Any]) -> Iterator[None]:
    """Be the only one who changes this host; the lock says who, since when and why. A dead holder holds nothing."""
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(os.pread(descriptor, 4096, 0).decode(errors="replace")) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(who).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def apply(directory: Path) -> dict[str, Any]:
    """Apply the bundle and return what was done. Raises AgentError; then everything is as it was before."""
    bundle = json.loads((directory / BUNDLE).read_text())
    with locked(bundle["who"]):
        recovered = recover(except_for=directory)
        journal = Journal(directory)
        if journal.outcome is not None:
            raise host.AgentError(f"this plan was {journal.outcome} already")
        _refuse_stale(bundle)
        try:
            actions = _change(bundle, directory, journal)
            for words in bundle["health"]:
                host.run(*words, timeout_s=60)
        except BaseException as error:
            _take_back_after(error, directory, journal)
            raise
        missed = _make_later(bundle, directory)
        waiting = guard.armed_for() == directory.name
        if waiting:
            guard.arm(directory, int(bundle["revert_s"]))  # anew: the time to confirm begins now
        else:
            journal.note({"outcome": "applied"})
        _forget_old(directory)
        return {
            "outcome": "applied",
            "actions": actions,
            "recovered": recovered,
            "confirm": waiting,
            "missed": missed,
        }


def recover(*, except_for: Path | None = None) -> list[str]:
    """Take back what an interrupted application has done; return the ids. One that waits for somebody is left alone."""
    taken = []
    for directory in sorted(HOME.glob("*/"), reverse=True):
        journal = Journal(directory)
        if directory != except_for and journal.entries() and journal.outcome is None:
            if guard.armed_for() == directory.name:
                raise host.AgentError(f"the change {directory.name} still waits for a confirmation")
            take_back(directory, journal)
            taken.append(directory.name)
    return taken


def take_back(directory: Path, journal: Journal) -> None:
    """Undo everything, the newest first, and let the programs concerned read what is there again."""
    for entry in journal.undos:
        act.undo(entry, directory)
    bundle = json.loads((directory / BUNDLE).read_text())
    began = {entry["action"] for entry in journal.entries() if "action" in entry}
    for action in bundle["actions"]:
        if action["name"] in began:
            host.run(*action["argv"])
    journal.note({"outcome": "undone"})
    if guard.armed_for() == directory.name:
        guard.disarm()


def _take_back_after(error: BaseException, directory: Path, journal: Journal) -> None:
    try:
        take_back(directory, journal)
    except (host.AgentError, OSError) as second:
        text = f"{error}; taking it back failed as well, and the next apply tries again: {second}"
        raise host.AgentError(text) from error


def confirm(name: str) -> dict[str, Any]:
    """Somebody is let in: keep the guarded change."""
    if guard.armed_for() != name:
        raise host.AgentError("no change waits for this confirmation: it was taken back, or confirmed before")
    guard.disarm()
    Journal(HOME / name).note({"outcome": "applied"})
    return {"outcome": "applied"}


def revert(name: str) -> dict[str, Any]:
    """Nobody came: take the change back."""
    with locked({"who": "opsctl-revert", "why": "nobody confirmed the change"}):
        if guard.armed_for() != name:
            return {"outcome": "nothing to revert"}
        take_back(HOME / name, Journal(HOME / name))
        return {"outcome": "undone"}


def _refuse_stale(bundle: dict[str, Any]) -> None:
    found = observe(bundle["resources"], show=False)
    if fingerprint(found) == bundle["fingerprint"]:
        return
    before = bundle["states"]
    changed = [key for key in found if fingerprint({key: found[key]}) != before.get(key)]
    raise StaleError(", ".join(changed[:5]) or "other resources")


def _change(bundle: dict[str, Any], directory: Path, journal: Journal) -> list[str]:
    """Make the changes in their order; what needs reloading is reloaded once, after the last."""
    todo = [each for each in bundle["resources"] if each["change"] and not each.get("later")]
    first = [each for each in todo if _is_early(each)]
    then = [each for each in todo if not _is_early(each)]
    for number, resource in enumerate(first):
        _step(resource, bundle, directory, journal, number)
    stage = directory / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    placed = [each for each in then if "path" in each]
    check.stage_files(placed, stage)
    check.check_all(bundle["checks"], placed, stage)
    for number, resource in enumerate(then, len(first)):
        _step(resource, bundle, directory, journal, number)
    shutil.rmtree(stage)
    wanted = {action for each in todo for action in each.get("then", ())}
    actions = [action for action in bundle["actions"] if action["name"] in wanted]
    for action in actions:
        journal.note({"action": action["name"]})
        host.run(*action["argv"])
    return [action["name"] for action in actions]


def _make_later(bundle: dict[str, Any], directory: Path) -> list[dict[str, str]]:
    """Make what needs others to agree, such as an authority; return what they refused, and why."""
    missed = []
    for resource in bundle["resources"]:
        if resource["change"] and resource.get("later"):
            try:
                act.do(resource, None, directory)
            except host.AgentError as error:
                shown = resource["shown"]
                missed.append({"what": shown, "why": str(error).removeprefix(f"{shown}: ")})
    return missed


def _is_early(resource: Resource) -> bool:
    """Whether files need it before they can be checked: programs, users to belong to, what else says so."""
    return resource["type"] in ("package", "user") or bool(resource.get("early"))


def _step(resource: Resource, bundle: dict[str, Any], directory: Path, journal: Journal, number: int) -> None:
    if resource.get("guarded") and guard.armed_for() is None:
        guard.arm(directory, int(bundle["revert_s"]))
    (state,) = observe([resource], show=False).values()
    journal.note({"undo": act.undo_of(resource, state, directory, number), "key": key_of(resource)})
    act.do(resource, state, directory)


def _forget_old(directory: Path) -> None:
    """Keep the last bundles for a look; what an unfinished one needs stays."""
    ended = [each for each in sorted(HOME.glob("*/")) if each != directory and Journal(each).outcome is not None]
    for each in ended[:-KEPT]:
        shutil.rmtree(each)
