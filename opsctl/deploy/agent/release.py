"""Puts a release of an application in place of the one before, or leaves that as it is.

A release is tried beside the one that is live where that is possible, then the link `current` is changed, then it is
asked again. The change has its undo in the journal of the bundle, as changes of a plan have: the next apply or release
takes an interrupted one back.
"""

import contextlib
import grp
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import act, host, unpack
from . import apply as applying
from .forget import BUNDLE
from .journal import Journal
from .lock import HOME, locked
from .observe import observe
from .releases import GOOD, LEFT, TRIED, Releases
from .visit import LIVE, NEXT, UnhealthyError, visit

ARCHIVE = "release.tar.gz"
ROOM = 64 << 20
"""Bytes that stay free on the disk: the database lies there too."""

Site = dict[str, Any]


def release(directory: Path) -> dict[str, Any]:
    """Unpack, try and show what the bundle brings. Raises AgentError when nothing came of it at all.

    One that does not answer as it should is an answer too, `failed`: it lies apart, and what was live is live again.
    """
    with _alone(directory) as (bundle, journal):
        site: Site = bundle["site"]
        kept = Releases(Path(site["home"]))
        name = kept.new_name(directory.name)
        before = kept.current
        try:
            _place(directory, bundle, kept, name)
            said = _go_live(site, kept, name, directory, journal)
        except BaseException as error:
            applying.take_back_after(error, directory, journal)
            kept.tidy(said=str(error))
            if not isinstance(error, UnhealthyError):
                raise
            return {"outcome": "failed", "release": name, "live": before, "said": str(error)}
        journal.note({"outcome": "applied"})
        kept.note(name, state=GOOD)
        kept.prune(site["keep"])
        return {"outcome": "live", "release": name, "before": before, "said": said}


def rollback(directory: Path) -> dict[str, Any]:
    """Show the last good release again, or the one that the bundle names. Raises AgentError; answers as `release`."""
    with _alone(directory) as (bundle, journal):
        site: Site = bundle["site"]
        kept = Releases(Path(site["home"]))
        before = kept.current
        name = kept.find(bundle["to"]) if bundle["to"] else _one_to_go_back_to(kept)
        if name == before:
            raise host.AgentError(f"{name} is live already")
        try:
            said = _go_live(site, kept, name, directory, journal)
        except UnhealthyError as error:
            applying.take_back_after(error, directory, journal)
            return {"outcome": "failed", "release": name, "live": before, "said": str(error)}
        journal.note({"outcome": "applied"})
        if before is not None and (kept.releases / f"{before}.json").exists():
            kept.note(before, state=LEFT)
        kept.note(name, state=GOOD)
        return {"outcome": "live", "release": name, "before": before, "said": said}


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[tuple[dict[str, Any], Journal]]:
    """Hold the host's lock, with everything finished that was interrupted before; the bundle ends with an outcome."""
    bundle = json.loads((directory / BUNDLE).read_text())
    journal = Journal(directory)
    try:
        with locked(bundle["who"]):
            if journal.outcome is not None:
                raise host.AgentError(f"this release was {journal.outcome} already")
            applying.refuse_while_waiting()
            applying.recover(except_for=directory)
            kept = Releases(Path(bundle["site"]["home"]))
            if kept.current is None or not kept.failed.is_dir():
                raise host.AgentError(f"{kept.home} is not there yet: deploy the host first")
            kept.tidy()
            for left in HOME.glob(f"*/{ARCHIVE}"):  # by those that were killed, or never begun
                if left.parent != directory and Journal(left.parent).entries():
                    left.unlink()
            journal.note({"began": bundle["who"]})
            try:
                yield bundle, journal
            except BaseException as error:
                if journal.outcome is None:
                    applying.take_back_after(error, directory, journal)
                raise
            applying.forget_old(directory)
    except BaseException:
        if not journal.entries():
            shutil.rmtree(directory)  # nothing was begun: it can be sent again
        raise
    finally:
        (directory / ARCHIVE).unlink(missing_ok=True)


def _one_to_go_back_to(kept: Releases) -> str:
    current, known = kept.current or "", kept.known()
    if known and known[-1]["state"] == "failed" and known[-1]["name"] > current:
        raise host.AgentError(
            f"{known[-1]['name']} did not work and was never kept: {current} is live, and is the last good one; "
            "to go further back, name the release"
        )
    name = kept.last_good()
    if name is None:
        raise host.AgentError("there is no other good release")
    return name


def _place(directory: Path, bundle: dict[str, Any], kept: Releases, name: str) -> None:
    """Bring a release to its place, whole: unpacked, what is shared linked into it, written to the disk."""
    site, facts = bundle["site"], bundle["facts"]
    unpack.verify(directory / ARCHIVE, facts["sha256"])
    free = shutil.disk_usage(kept.releases).free - facts["bytes"]
    if free < ROOM:
        raise host.AgentError(f"there is no room on the disk: {free} bytes would be left")
    begun = kept.releases / f".{name}.new"
    group = grp.getgrnam(site["name"]).gr_gid
    unpack.unpack(directory / ARCHIVE, begun, group)
    (directory / ARCHIVE).unlink()
    for path in site["shared"]:
        _share(site, begun, path, group)
    host.run("sync", "--file-system", str(begun))
    kept.note(name, state=TRIED, **facts)
    os.rename(begun, kept.releases / name)
    host.sync_directory(kept.releases)


def _share(site: Site, begun: Path, path: str, group: int) -> None:
    """Link what outlives releases into one. A directory is made, and is the site's own to write into."""
    target, link = Path(site["home"], "shared", path), begun / path
    if path.endswith("/") and not target.exists():
        _parents(target, Path(site["home"], "shared"), group)
        target.mkdir(mode=0o750)
        shutil.chown(target, site["name"], site["name"])
    if not target.exists():
        raise host.AgentError(f"{target} is not there: put it there; a directory to be made ends in a slash")
    _parents(link, begun, group)
    if link.is_symlink() or link.exists():
        raise host.AgentError(f"the release brings {path}, which is shared: leave it out")
    up = "../" * (len(Path(path).parts) + 1)
    link.symlink_to(f"{up}shared/{path.rstrip('/')}")
    os.lchown(link, target.stat().st_uid, group)  # nginx follows only links to what is their owner's


def _parents(path: Path, top: Path, group: int) -> None:
    """Make what leads to a path below `top`; root's, as all of it."""
    if path.parent == top:
        return
    _parents(path.parent, top, group)
    if path.parent.is_symlink():
        raise host.AgentError(f"{path.parent} is a link, below which nothing is shared")
    if not path.parent.exists():
        path.parent.mkdir(mode=0o750)
        os.chown(path.parent, 0, group)


def _go_live(site: Site, kept: Releases, name: str, directory: Path, journal: Journal) -> str:
    """Try a release, switch to it, look again. Raises UnhealthyError; the caller takes back what was done."""
    if site["rehearsed"]:
        if site["tried_by"]:
            # What a killed run leaves running would be taken for the next one that is tried.
            journal.note({"undo": {"kind": "script", "script": shlex.join(("systemctl", "stop", *site["tried_by"]))}})
        _try(site, kept, name)
    link = {"type": "link", "path": f"{site['home']}/current", "target": f"releases/{name}"}
    (state,) = observe([link], show=False).values()
    journal.note({"undo": act.undo_of(link, state, directory, 0)})
    act.do(link, state, directory)
    bundle = json.loads((directory / BUNDLE).read_text())
    for action in bundle["actions"]:
        journal.note({"action": action["name"]})
        host.run(*action["argv"])
    said = visit(site, LIVE)
    kept.point("next", name)
    return said


def _try(site: Site, kept: Releases, name: str) -> None:
    """Ask a release where no visitor sees it: nginx shows `next` to this host alone, a service runs a second time."""
    before = kept.current
    kept.point("next", name)
    try:
        if site["tried_by"]:
            host.run("systemctl", "start", *site["tried_by"])
        visit(site, NEXT)
    except UnhealthyError as error:
        raise UnhealthyError(f"{error}; no visitor has seen it") from None
    finally:
        if site["tried_by"]:
            host.run("systemctl", "stop", *site["tried_by"])
        if before is not None:
            kept.point("next", before)
