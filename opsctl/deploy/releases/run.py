"""`deploy release`, `deploy rollback` and `deploy releases`: one site's release, and the record of who made it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from opsctl.core.clock import new_id, utcnow
from opsctl.core.errors import OpsError, SettingsError, UnreachableError
from opsctl.core.ledger import Ledger
from opsctl.core.progress import Progress
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.inventory.site import SitePlan
from opsctl.deploy.reach import agent_on, at_once, target_of, when_free
from opsctl.deploy.records import Who
from opsctl.deploy.releases.model import Release, ReleaseBody, Result
from opsctl.deploy.releases.pack import packed
from opsctl.deploy.remote import Agent, EndedError

KIND = "release"
VERSION = 1


@dataclass(frozen=True)
class Order:
    """What is asked for: a site of an inventory, by whom and why, and how long to wait for others (seconds)."""

    inventory: Inventory
    site: SitePlan
    who: Who
    why: str
    lock_wait_s: float = 0.0

    @property
    def host(self) -> HostSection:
        """The host that the site is on."""
        return self.inventory.host(self.site.host)

    @property
    def where(self) -> str:
        """The site, for a person."""
        return f"{self.site.name} on {self.site.host}"

    def bundle(self, identifier: str, sha256: str = "") -> dict[str, Any]:
        """What the agent has to know of it; `sha256` of what is carried there, if anything is."""
        site = self.site
        service = site.kind == "python"
        about = {"stack": self.inventory.stack.name, "host": site.host}
        restart = {"name": f"restart {site.name}", "argv": ["systemctl", "restart", f"{site.name}.service"]}
        return {
            "who": {**self.who.words(self.why), "plan": identifier},
            "about": {**about, "site": site.name, "sha256": sha256, "changes": 1},
            "resources": [],
            "actions": [restart] if service else [],
            "site": {
                "name": site.name,
                "home": site.home,
                "shared": site.outliving,
                "keep": site.keep,
                "domain": site.domains[0],
                "health": site.health,
                "below": site.health_below,
                "within_s": site.health_s,
                "rehearsed": site.rehearsed,
                "tried_by": [f"{site.name}@next.socket", f"{site.name}@next.service"] if service else [],
            },
        }  # fmt: skip


@dataclass(frozen=True)
class SiteReleases:
    """The releases of one site, the oldest first; or why they are not known."""

    site: str
    host: str
    releases: tuple[Release, ...]
    error: OpsError | None


def site_of(inventory: Inventory, site: str) -> SitePlan:
    """The site of that name. Raises SettingsError."""
    for each in inventory.sites:
        if each.name == site:
            return each
    known = ", ".join(each.name for each in inventory.sites)
    raise SettingsError(f"the inventory has no site '{site}'", hint=f"there are: {known}")


def release(order: Order, directory: Path, ledger: Ledger, progress: Progress) -> ReleaseBody:
    """Carry a directory to the host and let it take the place of what is live there.

    Raises OpsError when it did not, or when that is not known; what was live is live then.
    """
    site = order.site
    if site.kind != "python" and not (directory / "public").is_dir():
        raise SettingsError(
            "there is no public/ in it, which is what the web server shows",
            where=str(directory),
            hint="name the directory above it",
        )
    progress.step(f"Packing {directory}")
    with packed(directory, site.outliving) as files:
        facts = {
            "by": order.who.actor,
            "origin": order.who.origin,
            "why": order.why,
            "sha256": files.sha256,
            "files": files.files,
            "bytes": files.content,
        }
        progress.step(f"Carrying it to {site.host}", total_bytes=files.size)

        def carry(agent: Agent) -> Mapping[str, Any]:
            identifier = new_id()
            bundle = {**order.bundle(identifier, files.sha256), "facts": facts}
            return agent.release(identifier, bundle, _watched(files.parts(), progress))

        return _recorded(order, "release", files.sha256, ledger, carry)


def rollback(order: Order, to: str | None, ledger: Ledger) -> ReleaseBody:
    """Go back to the last good release, or to the one named. Raises OpsError as `release`."""

    def go_back(agent: Agent) -> Mapping[str, Any]:
        identifier = new_id()
        return agent.rollback(identifier, {**order.bundle(identifier), "to": to})

    return _recorded(order, "rollback", None, ledger, go_back)


def list_releases(inventory: Inventory, site: str | None) -> list[SiteReleases]:
    """The releases of all sites, or of one. A host that cannot be asked says why. Raises SettingsError."""
    sites = [site_of(inventory, site)] if site is not None else list(inventory.sites)
    hosts = [host for host in inventory.hosts if any(each.host == host.name for each in sites)]

    def look(host: HostSection) -> list[SiteReleases]:
        there = [each for each in sites if each.host == host.name]
        try:
            with agent_on(target_of(inventory, host), inventory.access.user) as agent:
                found = agent.releases(each.home for each in there)
        except OpsError as error:
            return [SiteReleases(each.name, host.name, (), error) for each in there]
        return [
            SiteReleases(each.name, host.name, tuple(map(Release.model_validate, found[each.home])), None)
            for each in there
        ]

    return [each for group in at_once(look, hosts) for each in group] if hosts else []


def _recorded(
    order: Order,
    action: Literal["release", "rollback"],
    sha256: str | None,
    ledger: Ledger,
    do: Callable[[Agent], Mapping[str, Any]],
) -> ReleaseBody:
    """Do it, and write into the ledger what came of it, whatever that was."""
    started, answer = utcnow(), dict[str, Any]()
    result: Result = "refused"
    try:
        with agent_on(target_of(order.inventory, order.host), order.inventory.access.user) as agent:
            answer = dict(when_free(agent, lambda: do(agent), order.lock_wait_s))
        result = answer["outcome"]
    except EndedError:
        result = "open"
        raise
    except UnreachableError as error:
        result = "open"
        error.hint = "it may have gone on there; see what is live: opsctl deploy releases"
        raise
    finally:
        body = _body(order, action, sha256, answer, result)
        _record(order, ledger, body, started)
    if body.result == "failed":
        raise OpsError(
            f"{body.release} does not work, and what was live still is: {body.said}",
            where=order.where,
            hint=_after_failing(order, body),
        )
    return body


def _after_failing(order: Order, body: ReleaseBody) -> str:
    if body.action == "rollback":
        return "name another one: opsctl deploy rollback --to ID; they are listed by: opsctl deploy releases"
    return f"look at it: {order.site.home}/failed/{body.release} on {order.site.host}; then release anew"


def _body(
    order: Order,
    action: Literal["release", "rollback"],
    sha256: str | None,
    answer: Mapping[str, Any],
    result: Result,
) -> ReleaseBody:
    return ReleaseBody(
        action=action,
        site=order.site.name,
        host=order.site.host,
        release=answer.get("release"),
        before=answer.get("before") or answer.get("live"),
        sha256=sha256,
        actor=order.who.actor,
        origin=order.who.origin,
        why=order.why,
        result=result,
        said=answer.get("said"),
    )


def _record(order: Order, ledger: Ledger, body: ReleaseBody, started: datetime) -> None:
    outcomes = {"live": Outcome.PASSED, "open": Outcome.COULD_NOT_RUN}
    ledger.append(
        Record[ReleaseBody](
            kind=KIND,
            version=VERSION,
            subject=f"{order.inventory.stack.name}/{order.site.name}",
            started=started,
            finished=utcnow(),
            outcome=outcomes.get(body.result, Outcome.FAILED),
            fresh_until=None,
            body=body,
        )
    )


def _watched(parts: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    for part in parts:
        yield part
        progress.advance(len(part))
