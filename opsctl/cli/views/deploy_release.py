"""The answers of `opsctl deploy release`, `rollback` and `releases`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, table
from opsctl.cli.words import printable, when
from opsctl.deploy.releases.model import Release, ReleaseBody
from opsctl.deploy.releases.run import SiteReleases

_STATES = {"good": "good", "left": "rolled back from", "failed": "FAILED", "tried": "not judged"}
_STYLES = {"failed": "red", "tried": "yellow"}


class DeployRelease(Document):
    """What a site shows now, and what it showed before."""

    kind: Literal["deploy-release"] = "deploy-release"
    released: ReleaseBody


class ListedSite(BaseModel):
    """The releases of a site, the oldest first; or why they are not known (`error`)."""

    site: str
    host: str
    releases: tuple[Release, ...]
    error: str | None


class DeployReleases(Document):
    """The releases on the hosts."""

    kind: Literal["deploy-releases"] = "deploy-releases"
    sites: tuple[ListedSite, ...]


def released(body: ReleaseBody) -> DeployRelease:
    """Collect."""
    return DeployRelease(released=body)


def text(document: DeployRelease, paint: Painter) -> Iterator[str]:
    """Say what is live."""
    body = document.released
    yield f"{paint(body.site, 'bold')} on {body.host}: {body.release} is {paint('live', 'green')}"
    if body.said is not None:
        yield printable(body.said)
    if body.before is not None:
        yield f"before it: {body.before}"


def listed(found: Sequence[SiteReleases]) -> DeployReleases:
    """Collect."""
    return DeployReleases(
        sites=tuple(
            ListedSite(
                site=each.site,
                host=each.host,
                releases=each.releases,
                error=str(each.error) if each.error else None,
            )
            for each in found
        )
    )


def list_text(document: DeployReleases, paint: Painter) -> Iterator[str]:
    """Write a table for each site, the newest first; below it what was seen of those that failed."""
    for site in document.sites:
        name = f"{paint(site.site, 'bold')} on {site.host}"
        if site.error is not None:
            yield f"{name}: {paint('could not be looked at', 'red')}: {printable(site.error)}"
        elif not site.releases:
            yield f"{name}: no release yet"
        else:
            yield f"{name}:"
            newest = site.releases[::-1]
            headers = ("id", "when", "by", "digest", "state")
            yield from table(headers, [_row(each) for each in newest], paint)
            for each in newest:
                if each.said is not None:
                    yield f"{each.id}: {printable(each.said)}"


def _row(release: Release) -> tuple[Cell | str, ...]:
    state = Cell("live", "green") if release.live else Cell(_STATES[release.state], _STYLES.get(release.state))
    return (release.id, when(release.at), printable(release.by), release.sha256[:12], state)
