"""Finds what a stack consists of: the database's socket, nginx's sites, and what runs in each of them.

The simple cases are understood; for everything else it says what it saw, so that a person completes the settings.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crossplane

from opsctl.core.errors import OpsError
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.overview.discover_sites import describe_site
from opsctl.stack.nginx import read_nginx
from opsctl.stack.rooted import below, resolve

TIMEOUT_S = 20.0
_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")  # noqa: S108 - looked at only
_DATABASE_CONFIGS = ("/etc/mysql", "/etc/my.cnf", "/etc/my.cnf.d")
_NGINX = Path("/etc/nginx/nginx.conf")
_SOCKET_OPTION = re.compile(r"--socket=(\S+)")


@dataclass
class Discovered:
    """Values for the settings' sections, sentences about what they are from, and about what was not understood."""

    sections: dict[str, Any] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Server:
    """One server block of nginx: its literal names and its document root, as on the host."""

    names: tuple[str, ...]
    root: Path | None
    file: Path


def discover(root: Path, host: Runner) -> Discovered:
    """Look around on the host whose `/` is `root`. Nothing is changed."""
    result = Discovered()
    _database(root, host, result)
    _web(root, result)
    return result


def _database(root: Path, host: Runner, result: Discovered) -> None:
    candidates = [*_configured_sockets(host), *_SOCKETS] if root == Path("/") else list(_SOCKETS)
    socket = next((path for path in map(Path, candidates) if below(root, path).is_socket()), None)
    configs = [path for path in _DATABASE_CONFIGS if below(root, Path(path)).exists()]
    if socket is None:
        result.not_understood.append("no MariaDB socket was found; set database.socket")
        result.sections["database"] = {"config_paths": configs} if configs else {}
        return
    result.found.append(f"MariaDB at {socket}" + (f", configured in {', '.join(configs)}" if configs else ""))
    result.sections["database"] = {"socket": below(root, socket), "config_paths": configs}


def _configured_sockets(host: Runner) -> list[str]:
    """What the server's option files say, if the program that reads them is there."""
    try:
        done = host.run(command("my_print_defaults", "mysqld", "server", "mariadbd"), timeout_s=TIMEOUT_S)
    except OpsError:
        return []
    return _SOCKET_OPTION.findall(done.text())


def _web(root: Path, result: Discovered) -> None:
    if not below(root, _NGINX).is_file():
        result.not_understood.append(f"there is no {_NGINX}; without a web server set nginx.enabled = false")
        result.sections["nginx"] = {"enabled": False}
        return
    try:
        config = read_nginx(root, _NGINX)
        servers = [server for file in config.files for server in _servers(root, file)]
    except OpsError as error:
        result.not_understood.append(f"nginx's configuration: {error}")
        result.sections["nginx"] = {}
        return
    outside = {
        _top(path) for path in (*config.certificates, *config.private_keys) if not path.is_relative_to("/etc/nginx")
    }
    result.found.append(f"nginx with {len(config.files)} files and {len(config.server_names)} server names")
    result.sections["nginx"] = {"config": _NGINX, "paths": ["/etc/nginx", *sorted(outside)]}
    _sites(root, servers, result)


def _top(path: Path) -> str:
    """The directory that certificates are kept in: `/etc/letsencrypt` of `/etc/letsencrypt/live/x/privkey.pem`."""
    return str(Path(*path.parts[:3])) if len(path.parts) > 3 else str(path.parent)


def _servers(root: Path, file: Path) -> Iterator[Server]:
    place = below(root, resolve(root, file)[1])
    parsed = crossplane.parse(
        str(place), single=True, catch_errors=False, check_ctx=False, check_args=False, comments=False
    )
    for block in _blocks(parsed["config"][0]["parsed"], "server"):
        names = [name for item in block if item["directive"] == "server_name" for name in item["args"]]
        roots = [Path(item["args"][0]) for item in block if item["directive"] == "root"]
        literal = tuple(name for name in names if re.fullmatch(r"[a-z0-9.-]+", name))
        yield Server(literal, roots[0] if roots else None, file)


def _blocks(directives: list[Mapping[str, Any]], name: str) -> Iterator[list[Mapping[str, Any]]]:
    for item in directives:
        if item["directive"] == name and "block" in item:
            yield item["block"]
        elif "block" in item:
            yield from _blocks(item["block"], name)


def _sites(root: Path, servers: list[Server], result: Discovered) -> None:
    sites: dict[str, dict[str, Any]] = {}
    for server in servers:
        name = ", ".join(server.names) or "a server without a plain name"
        if server.root is None:
            # A redirect to https is no site of its own.
            if not any(other.root and set(server.names) & set(other.names) for other in servers):
                result.not_understood.append(f"{name} in {server.file} has no root: a proxy, or a redirect?")
            continue
        site = describe_site(root, server.root, server.names)
        if site is None:
            result.not_understood.append(f"{name} in {server.file}: its root {server.root} is not there")
        elif site["name"] not in sites:
            sites[site["name"]] = site
            result.found.append(f"site '{site['name']}': {site['kind']} in {server.root}")
    result.sections["sites"] = list(sites.values())
