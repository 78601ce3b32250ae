"""Paths of the host, whose `/` lies somewhere on this machine."""

from pathlib import Path

import pytest

from opsctl.core.errors import OpsError
from opsctl.stack.rooted import as_on_host, below, resolve


def link(root: Path, path: str, target: str) -> None:
    place = below(root, Path(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def resolved(root: Path, path: str) -> tuple[list[str], str]:
    links, real = resolve(root, Path(path))
    return [str(each) for each in links], str(real)


def test_absolute_targets_are_seen_from_the_hosts_root(tmp_path: Path) -> None:
    link(tmp_path, "/etc/live/privkey.pem", "/data/archive/privkey1.pem")
    assert resolved(tmp_path, "/etc/live/privkey.pem") == (["/etc/live/privkey.pem"], "/data/archive/privkey1.pem")


def test_relative_targets_and_links_to_directories_are_followed(tmp_path: Path) -> None:
    link(tmp_path, "/a/b/c", "../../d/./e")
    link(tmp_path, "/d", "/real")
    assert resolved(tmp_path, "/a/b/c/file") == (["/a/b/c", "/d"], "/real/e/file")


def test_no_link_leads_above_the_hosts_root(tmp_path: Path) -> None:
    link(tmp_path, "/a", "../../../../etc/passwd")
    assert resolved(tmp_path, "/a") == (["/a"], "/etc/passwd")


def test_what_is_not_there_is_resolved_by_name(tmp_path: Path) -> None:
    assert resolved(tmp_path, "/no/where") == ([], "/no/where")


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    link(tmp_path, "/a", "/b")
    link(tmp_path, "/b", "/a")
    with pytest.raises(OpsError, match="circle"):
        resolve(tmp_path, Path("/a"))


def test_a_place_on_this_machine_has_the_hosts_name_or_else_its_own(tmp_path: Path) -> None:
    assert as_on_host(tmp_path, tmp_path / "etc/x") == (Path("/etc/x"), tmp_path)
    assert as_on_host(tmp_path, Path("/elsewhere/x")) == (Path("/elsewhere/x"), Path("/"))
    assert as_on_host(Path("/"), Path("/etc/x")) == (Path("/etc/x"), Path("/"))
