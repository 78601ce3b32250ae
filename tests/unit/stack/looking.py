"""Looks around on small hosts for tests."""

from pathlib import Path

from opsctl.stack.discovery import Found, FoundSite, discover
from tests.unit.stack.trees import make_tree


def look(root: Path, *trees: dict[str, str]) -> Found:
    """Make a host of these files and look around on it; everything that is found can stand in settings."""
    for tree in trees:
        make_tree(root, tree)
    found = discover(root)
    names = [site.section().name for site in found.sites]
    assert len(set(names)) == len(names)
    if found.nginx:
        assert found.nginx.section().config == found.nginx.config
    if found.mariadb:
        assert found.mariadb.section(root).socket.is_relative_to(root)
    return found


def puzzles(found: Found) -> list[str]:
    """What was not understood, with its place."""
    return [f"{puzzle.where}: {puzzle.what}" for puzzle in found.not_understood]


def only(found: Found) -> FoundSite:
    """The one site of a host on which everything was understood."""
    assert puzzles(found) == []
    (site,) = found.sites
    return site


def login(site: FoundSite) -> tuple[str, str, str, str | None]:
    """How a site logs in."""
    assert site.login is not None
    return (site.login.user, site.login.password.get_secret_value(), site.login.database, site.login.prefix)
