"""The sandbox shows the restored tree at its original paths and nothing that its links point to on this machine."""

from pathlib import Path

import pytest

from opsctl.core.errors import OpsError
from restore_drill.checks.view import inside, resolve, tree_words


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("var/www/blog/releases/7", "etc/nginx", "etc/php/8.2", "etc/app", "usr/share/wordpress", "usr/bin"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "var/www/blog/current").symlink_to("/var/www/blog/releases/7")
    (tmp_path / "var/www/live").symlink_to("/srv/live")
    (tmp_path / "loop").symlink_to("/loop")
    return tmp_path


def binds(tree: Path, words: list[str]) -> dict[str, str]:
    found = {words[i + 2]: words[i + 1] for i, word in enumerate(words) if word == "--ro-bind"}
    return {target: source.removeprefix(str(tree)) for target, source in found.items()}


def links(words: list[str]) -> dict[str, str]:
    return {words[i + 2]: words[i + 1] for i, word in enumerate(words) if word == "--symlink"}


def test_paths_are_shown_where_they_were_and_each_once(tree: Path) -> None:
    words = tree_words(
        tree, ["/etc/nginx", "/usr/share/wordpress", "/etc/nginx/", "/var/www/blog", "/var/www/blog/releases"]
    )
    assert binds(tree, words) == {path: path for path in ("/etc/nginx", "/usr/share/wordpress", "/var/www/blog")}


def test_a_link_on_the_way_becomes_a_link_and_its_target_is_shown_from_the_tree(tree: Path) -> None:
    words = tree_words(tree, ["/var/www/blog/current", "/var/www/live"])
    assert links(words) == {
        "/var/run": "../run",
        "/var/www/blog/current": "../../../var/www/blog/releases/7",
        "/var/www/live": "../../srv/live",
    }
    assert binds(tree, words) == {"/var/www/blog/releases/7": "/var/www/blog/releases/7"}


def test_what_the_sandbox_needs_is_never_covered_by_the_tree(tree: Path) -> None:
    words = tree_words(tree, ["/etc", "/usr", "/usr/bin", "/missing"])
    assert binds(tree, words) == {path: path for path in ("/etc/app", "/etc/nginx", "/usr/share/wordpress")}


def test_links_lead_nowhere_but_into_the_tree(tree: Path) -> None:
    assert resolve(tree, "/var/www/blog/current/index.php") == "/var/www/blog/releases/7/index.php"
    assert inside(tree, "/var/www/live/x") == tree / "srv/live/x"
    assert inside(tree, "/../../../etc/passwd") == tree / "etc/passwd"
    with pytest.raises(OpsError, match="circle"):
        resolve(tree, "/loop/x")
