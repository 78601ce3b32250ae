"""Directories of a restored tree get their modes and times back, and no list leads out of the tree."""

import os
from pathlib import Path

import pytest

from backup.filelist import EntryType, FileEntry
from opsctl.core.errors import IntegrityError
from restore_drill.directories import open_up, settle

TIME_NS = 1_700_000_000_123_456_789


def listed(directory: Path, *entries: tuple[str, EntryType, int]) -> Path:
    """A list that names these paths, of these types and modes."""
    lines = [FileEntry(path, kind, mode, 0, 0, 0, TIME_NS).line() for path, kind, mode in entries]
    (directory / "list").write_bytes(b"".join(lines))
    return directory / "list"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/srv/closed/inner").mkdir(parents=True)
    (tmp_path / "outside").mkdir(mode=0o755)
    return tmp_path / "tree"


def test_directories_get_their_modes_and_times_though_some_let_nobody_in(tree: Path) -> None:
    entries = (("srv", 0o755), ("srv/closed", 0o500), ("srv/closed/inner", 0o2750))
    settle(tree, [listed(tree.parent, *((path, "directory", mode) for path, mode in entries))])
    for path, mode in reversed(entries):
        found = (tree / path).stat()
        assert (found.st_mode & 0o7777, found.st_mtime_ns) == (mode, TIME_NS)
    (tree / "srv/closed").chmod(0o700)


def test_what_is_no_directory_is_left_alone(tree: Path) -> None:
    file = tree / "srv/file"
    file.write_text("x")
    before = file.stat()
    settle(tree, [listed(tree.parent, ("srv/file", "file", 0o777))])
    assert file.stat() == before


@pytest.mark.parametrize("path", ["srv/link", "srv/link/below", "../outside", "srv/../../outside", "/outside", "gone"])
def test_a_list_that_leads_elsewhere_is_refused(tree: Path, path: str) -> None:
    outside = tree.parent / "outside"
    (tree / "srv/link").symlink_to(outside)
    before = outside.stat().st_mode
    with pytest.raises(IntegrityError):
        settle(tree, [listed(tree.parent, (path, "directory", 0o777))])
    assert outside.stat().st_mode == before


def test_directories_are_opened_for_more_to_be_unpacked_and_links_are_not_followed(tree: Path) -> None:
    outside = tree.parent / "outside"
    outside.chmod(0o500)
    (tree / "srv/link").symlink_to(outside)
    (tree / "srv/closed/inner").chmod(0o050)
    (tree / "srv/closed").chmod(0o500)
    open_up(tree)
    assert [(tree / path).stat().st_mode & 0o777 for path in ("srv/closed", "srv/closed/inner")] == [0o700, 0o750]
    assert outside.stat().st_mode & 0o777 == 0o500
    assert os.path.islink(tree / "srv/link")
