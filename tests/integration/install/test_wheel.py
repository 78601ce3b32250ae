"""What the wheel holds."""

import zipfile
from collections.abc import Iterator

import pytest

from tests.integration.install.conftest import Built
from tests.support.packaging import PROJECT


@pytest.fixture
def archive(built: Built) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(built.wheel) as archive:
        yield archive


def test_the_wheel_holds_every_file_of_every_room_and_nothing_else(built: Built, archive: zipfile.ZipFile) -> None:
    ours = {name for name in archive.namelist() if ".dist-info/" not in name and ".data/" not in name}
    assert ours == set(built.tree)


def test_each_file_is_in_the_wheel_as_it_is_in_the_tree(built: Built, archive: zipfile.ZipFile) -> None:
    assert [name for name, content in built.tree.items() if archive.read(name) != content] == []


def test_sql_php_and_templates_are_inside(built: Built, archive: zipfile.ZipFile) -> None:
    """Some are named, so that a rule which finds no file at all cannot pass."""
    inside = set(archive.namelist())
    assert "vault/schema/0001_audit.sql" in inside
    assert "backup/data/README.txt" in inside
    assert "restore_drill/php/wp_load.php" in inside
    assert "opsctl/overview/demo/data/host/etc/nginx/nginx.conf" in inside
    data = {name for name in built.tree if not name.endswith(".py")}
    assert len(data) >= 20
    assert data <= inside


def test_manual_and_completions_come_with_it(archive: zipfile.ZipFile) -> None:
    shared = {name.split(".data/data/")[1] for name in archive.namelist() if ".data/data/" in name}
    assert shared == {str(path.relative_to(PROJECT)) for path in (PROJECT / "share").rglob("*") if path.is_file()}
    assert "share/man/man1/opsctl.1" in shared


def test_the_wheel_declares_the_extras_and_the_program(archive: zipfile.ZipFile) -> None:
    described = [name for name in archive.namelist() if ".dist-info/" in name]
    texts = {name.rsplit("/", 1)[1]: archive.read(name).decode() for name in described}
    extras = {line.split(": ")[1] for line in texts["METADATA"].splitlines() if line.startswith("Provides-Extra: ")}
    assert extras == {"ai", "s3", "xlsx"}
    assert "opsctl = opsctl.cli.main:main" in texts["entry_points.txt"]
