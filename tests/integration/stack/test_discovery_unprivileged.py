"""Discovery by a user who may not read everything says so, and finds the rest."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.process import command, run
from tests.unit.stack.trees import make_tree, served, wordpress, wp_config

PROJECT = Path(__file__).parents[3]
# The user is changed after the imports: nobody need not be able to read this project.
LOOK = """
import os, sys
from pathlib import Path
from opsctl.stack.discovery import discover
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
print(discover(Path(sys.argv[1])).model_dump_json())
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A host that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="o-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_what_may_not_be_read_is_told_and_the_rest_is_found(root: Path) -> None:
    server = "server_name blog.example;\nroot /srv/blog;"
    other = "server_name other.example;\nroot /srv/closed/www;"
    page = "server_name page.example;\nroot /srv/page;"
    make_tree(root, served(server, other, page) | wordpress("/srv/blog") | {"/srv/blog/wp-config.php": wp_config()})
    make_tree(root, {"/srv/closed/www/index.html": "x", "/srv/page/index.html": "x"})
    (root / "srv/blog/wp-config.php").chmod(0o600)
    (root / "srv/closed").chmod(0o700)
    look = command(sys.executable, "-c", LOOK, root, PYTHONPATH=str(PROJECT))
    found = json.loads(run(look, timeout_s=60).stdout)
    told = [(puzzle["where"], puzzle["what"]) for puzzle in found["not_understood"]]
    assert ("/srv/blog/wp-config.php", "cannot be read: Permission denied") in told
    assert ("/srv/closed/www", "cannot be read: Permission denied") in told
    assert [site["name"] for site in found["sites"]] == ["blog", "page"]
