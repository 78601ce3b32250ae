"""Finds out what a host's stack consists of, by reading its files: nothing is run, nothing is changed."""

from collections.abc import Mapping
from pathlib import Path

from opsctl.stack.discovery.found import Found, FoundMariadb, FoundNginx, FoundSite, Login, Puzzle
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.mariadb import find_mariadb
from opsctl.stack.discovery.nginx import find_nginx
from opsctl.stack.discovery.sites import find_sites

__all__ = ["Found", "FoundMariadb", "FoundNginx", "FoundSite", "Login", "Puzzle", "discover"]


def discover(root: Path, *, server: Mapping[str, str] | None = None) -> Found:
    """Look around on the host whose `/` is `root`.

    `server` are the variables of the running MariaDB (`SHOW GLOBAL VARIABLES`), if it could be asked; without them its
    option files are believed. Whatever is not understood is in `not_understood`, and nothing is guessed in its place.
    """
    host = HostFiles(root)
    mariadb = find_mariadb(host, server)
    if mariadb is None:
        host.note(
            "/etc/mysql", "there are no option files of a MariaDB server", "without a database leave [database] out"
        )
    nginx, servers = find_nginx(host)
    sites = find_sites(host, servers)
    return Found(root=root, sites=sites, nginx=nginx, mariadb=mariadb, not_understood=tuple(host.puzzles))
