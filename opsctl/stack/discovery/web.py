"""What the web server answers from: directories, with all names under which they are asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.vhosts import Vhost, WebRoot

# Pages that come with packages, and are nobody's site.
_PACKAGED = (Path("/usr/share/nginx/html"), Path("/usr/share/nginx"), Path("/var/www/letsencrypt"))
_DEFAULT_PAGES = {"index.nginx-debian.html", "index.html", "50x.html"}


@dataclass(frozen=True)
class WebSite:
    """A directory that the web server answers from, as it is written, and the servers' names in order.

    `hosts` are those that are plain host names. `parameters` are what PHP gets from the web server.
    """

    root: Path
    names: tuple[str, ...]
    hosts: tuple[str, ...]
    parameters: Mapping[str, str]
    where: str

    @property
    def title(self) -> str:
        """The names for a person."""
        return ", ".join(self.names) or str(self.root)


def web_sites(host: HostFiles, servers: Iterable[Vhost]) -> tuple[tuple[WebSite, ...], tuple[WebSite, ...]]:
    """The directories that whole servers answer from, and those that only parts of servers do.

    A directory of several servers is one, with all their names. What is not there, or named by variables, is noted.
    """
    whole: dict[Path, WebSite] = {}
    parts: dict[Path, WebSite] = {}
    for vhost in servers:
        for root in vhost.roots:
            if _is_of_interest(host, vhost, root):
                site = WebSite(root.fixed, vhost.names, vhost.hosts, vhost.parameters, f"{root.file}:{root.line}")
                group = whole if root.location is None else parts
                real = host.real(root.fixed)
                group[real] = _merged(group[real], site) if real in group else site
    return tuple(whole.values()), tuple(site for real, site in parts.items() if real not in whole)


def _is_of_interest(host: HostFiles, vhost: Vhost, root: WebRoot) -> bool:
    where = f"{root.file}:{root.line}"
    if not root.is_fixed and root.location is None:
        host.note(
            where,
            f"{vhost.title}: the root {root.written} is known only per request",
            "add a [[sites]] table for each directory it stands for",
        )
        return False
    if root.fixed in _PACKAGED:
        return False
    if not host.is_dir(root.fixed) and not (root.location is not None and host.is_file(root.fixed)):
        host.note(where, f"{vhost.title}: {root.written} is not there", "correct nginx's configuration, or restore it")
        return False
    names = set(host.names(root.fixed))
    return not (names <= _DEFAULT_PAGES and "index.nginx-debian.html" in names)


def _merged(first: WebSite, second: WebSite) -> WebSite:
    return replace(
        first,
        names=tuple(dict.fromkeys((*first.names, *second.names))),
        hosts=tuple(dict.fromkeys((*first.hosts, *second.hosts))),
        parameters={**second.parameters, **first.parameters},
    )
