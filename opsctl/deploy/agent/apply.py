"""Makes all changes of a bundle, or takes back those it made.

A bundle is a directory: bundle.json (what shall be there, in the order of the changes, and what the plan has seen),
agent.pyz (this program) and, from here on, the journal, the staged tree and what was there before.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from . import act, check, guard, host, packages
from .forget import BUNDLE, STAGE, forget, forget_all
from .journal import Journal
from .lock import HOME, LockedError, locked
from .observe import Resource, fingerprint, key_of, observe

KEPT = 10
SAID = 1000
"""Characters of an error that are kept."""
WAIT_S = 60
"""Seconds that a confirmation and a revert wait for whoever is refused meanwhile."""


class StaleError(host.AgentError):
    """The host is not as the plan has seen it."""


def apply(directory: Path) -> dict[str, Any]:
    """Apply the bundle and return what was done. Raises AgentError; then everything is as it was before.

    Nothing stays of a bundle that was refused before it began: it can be sent again.
    """
    bundle = json.loads((directory / BUNDLE).read_text())
    journal = Journal(directory)
    try:
        with locked(bundle["who"]):
            return _apply(bundle, directory, journal)
    except BaseException:
        if not journal.entries():
            shutil.rmtree(directory)
        raise


def _apply(bundle: dict[str, Any], directory: Path, journal: Journal) -> dict[str, Any]:
    if journal.outcome is not None:
        raise host.AgentError(f"this plan was {journal.outcome} already")
    refuse_while_waiting()
    recovered = recover(except_for=directory)
    _refuse_stale(bundle)
    journal.note({"began": bundle["who"]})
    watch = host.Watch()
    try:
        actions = _change(bundle, directory, journal, watch)
        watch.phase("health")
        for words in bundle["health"]:
            host.run(*words, timeout_s=60)
    except BaseException as error:
        take_back_after(error, directory, journal)
        raise
    watch.phase("later")
    missed = _make_later(bundle, directory)
    if missed:
        journal.note({"missed": [each["what"] for each in missed]})
    waiting = guard.armed_for() == directory.name
    if waiting:
        guard.arm(directory, int(bundle["revert_s"]))  # anew: the time to confirm begins now
        journal.note({"waits": int(bundle["revert_s"])})
    else:
        journal.note({"outcome": "applied"})
    forget(directory, ended=not waiting)
    forget_old(directory)
    answer = {"outcome": "applied", "actions": actions, "recovered": recovered, "confirm": waiting, "missed": missed}
    return answer | {"took": watch.took()}


def refuse_while_waiting() -> None:
    """Leave a change alone that somebody has yet to confirm. Raises LockedError, which names whose it is."""
    waiting = guard.armed_for()
    if waiting is not None and (HOME / waiting / BUNDLE).exists():
        who = json.loads((HOME / waiting / BUNDLE).read_text())["who"]
        raise LockedError({**who, "waits": waiting})


def recover(*, except_for: Path | None = None) -> list[str]:
    """Take back what interrupted applications have done, the newest first; return their ids."""
    taken = []
    forget_all(HOME)
    for directory in reversed(bundles()):
        journal = Journal(directory)
        if directory != except_for and journal.outcome is None:
            take_back(directory, journal, because="interrupted")
            taken.append(directory.name)
    return taken


def bundles() -> list[Path]:
    """The directories of all bundles that have begun, in the order in which they did."""
    begun = [(began, each) for each in HOME.glob("*/") if (began := Journal(each).began) is not None]
    return [each for _, each in sorted(begun)]


def take_back(directory: Path, journal: Journal, *, because: str, said: str = "") -> None:
    """Undo everything, the newest first, and let the programs concerned read what is there again.

    `because`: it failed, was interrupted, unconfirmed or unlocked; `said`: what went wrong.
    """
    for entry in journal.undos:
        act.undo(entry, directory)
    bundle = json.loads((directory / BUNDLE).read_text())
    began = {entry["action"] for entry in journal.entries() if "action" in entry}
    for action in bundle["actions"]:
        if action["name"] in began:
            host.run(*action["argv"])
    journal.note({"outcome": "undone", "because": because, "said": said[:SAID]})
    forget(directory, ended=True)
    if guard.armed_for() == directory.name:
        guard.disarm()


def take_back_after(error: BaseException, directory: Path, journal: Journal) -> None:
    """Undo everything because of an error. Raises AgentError with both when that fails too."""
    try:
        take_back(directory, journal, because="failed", said=str(error))
    except (host.AgentError, OSError) as second:
        text = f"{error}; taking it back failed as well, and the next apply tries again: {second}"
        raise host.AgentError(text) from error


def confirm(name: str) -> dict[str, Any]:
    """Somebody is let in: keep the guarded change."""
    with locked({"who": "opsctl", "why": "confirming a change", "plan": name}, wait_s=WAIT_S):
        if guard.armed_for() != name:
            raise host.AgentError("no change waits for this confirmation: it was taken back, or confirmed before")
        journal = Journal(HOME / name)
        if not journal.waits:
            raise host.AgentError("this change was interrupted before its end: it will be taken back")
        guard.disarm()
        journal.note({"outcome": "applied"})
        forget(HOME / name, ended=True)
        return {"outcome": "applied"}


def resume() -> dict[str, Any]:
    """Look for what an interrupted operator has left: a change that waits is named, an unfinished one taken back."""
    if not HOME.exists():
        return {"waiting": None, "recovered": []}
    with locked({"who": "opsctl", "why": "looking for what was interrupted"}):
        waiting = guard.armed_for()
        if waiting is not None and Journal(HOME / waiting).waits:
            return {"waiting": waiting, "recovered": []}
        return {"waiting": None, "recovered": recover()}


def revert(name: str) -> dict[str, Any]:
    """Nobody came: take the change back."""
    with locked({"who": "opsctl-revert", "why": "nobody confirmed the change", "plan": name}, wait_s=WAIT_S):
        if guard.armed_for() != name:
            return {"outcome": "nothing to revert"}
        if guard.remaining() is not None:
            return {"outcome": "armed anew"}  # the application took longer, and the time to confirm has just begun
        take_back(HOME / name, Journal(HOME / name), because="unconfirmed")
        return {"outcome": "undone"}


def _refuse_stale(bundle: dict[str, Any]) -> None:
    found = observe(bundle["resources"], show=False)
    if fingerprint(found) == bundle["fingerprint"]:
        return
    before = bundle["states"]
    changed = [key for key in found if fingerprint({key: found[key]}) != before.get(key)]
    raise StaleError(", ".join(changed[:5]) or "other resources")


def _change(bundle: dict[str, Any], directory: Path, journal: Journal, watch: host.Watch) -> list[str]:
    """Make the changes in their order; what needs reloading is reloaded once, after the last."""
    todo = [each for each in bundle["resources"] if each["change"] and not each.get("later")]
    watch.phase("packages")
    missing = [each for each in todo if each["type"] == "package"]
    packages.install(missing, [each for each in todo if each["type"] == "unit"], journal)
    first = [each for each in todo if each not in missing and _is_early(each)]
    then = [each for each in todo if each not in missing and not _is_early(each)]
    watch.phase("changes")
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
    watch.phase("reloads")
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
    """Whether files need it before they can be checked: users to belong to, what else says so."""
    return resource["type"] == "user" or bool(resource.get("early"))


def _step(resource: Resource, bundle: dict[str, Any], directory: Path, journal: Journal, number: int) -> None:
    if resource.get("guarded") and guard.armed_for() != directory.name:
        guard.arm(directory, int(bundle["revert_s"]))
    (state,) = observe([resource], show=False).values()
    journal.note({"undo": act.undo_of(resource, state, directory, number), "key": key_of(resource)})
    act.do(resource, state, directory)


def forget_old(directory: Path) -> None:
    """Keep the last bundles for a look; what an unfinished one needs stays."""
    ended = [each for each in bundles() if each != directory and Journal(each).outcome is not None]
    for each in ended[:-KEPT]:
        shutil.rmtree(each)
