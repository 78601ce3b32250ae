"""Scratch directories end with their process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.core.errors import OpsError
from restore_drill import workspace as module
from restore_drill.workspace import remove_dead, scratch_directory, workspace

DIES = """
import os, sys
from pathlib import Path
from restore_drill.workspace import workspace
with workspace(Path(sys.argv[1])) as paths:
    (paths.data / "ibdata1").write_text("customers")
    os._exit(1)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(directory.stat().st_mode | 0o011)
    return tmp_path


def test_it_is_private_and_gone_after_the_block(parent: Path) -> None:
    with workspace(parent) as paths:
        assert paths.root.stat().st_mode & 0o077 == 0
        assert all(path.is_dir() for path in (paths.data, paths.tree, paths.keys, paths.lists, paths.logs, paths.run))
    assert list(parent.iterdir()) == []


def test_it_is_gone_after_an_error_and_whatever_modes_lie_in_it(parent: Path) -> None:
    def fail() -> None:
        with workspace(parent) as paths:
            (paths.tree / "shut").mkdir()
            (paths.tree / "shut" / "file").touch()
            (paths.tree / "shut").chmod(0o500)
            raise OpsError("no")

    with pytest.raises(OpsError):
        fail()
    assert list(parent.iterdir()) == []


def test_links_in_it_lead_nowhere_when_it_is_removed(parent: Path) -> None:
    (parent / "outside").mkdir()
    (parent / "outside" / "precious").touch()
    with workspace(parent) as paths:
        (paths.tree / "link").symlink_to(parent / "outside")
    assert (parent / "outside" / "precious").exists()


def test_what_a_killed_process_left_is_removed_by_the_next(parent: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, parent], check=False)
    assert len(list(parent.iterdir())) == 2
    with workspace(parent) as paths:
        assert sorted(path.name for path in parent.iterdir()) == [paths.root.name, f"{paths.root.name}.lock"]


def test_a_living_one_is_left_alone(parent: Path) -> None:
    with workspace(parent) as paths:
        assert remove_dead(parent) == 0
        assert paths.data.is_dir()


def test_a_lock_that_is_a_link_is_left_alone(parent: Path) -> None:
    (parent / "opsctl-1-x").mkdir()
    (parent / "opsctl-1-x.lock").symlink_to("/dev/null")
    assert remove_dead(parent) == 0
    assert (parent / "opsctl-1-x").is_dir()


def test_a_parent_that_is_not_there_is_named(parent: Path) -> None:
    with pytest.raises(OpsError, match="no such directory"), workspace(parent / "none"):
        pass


def test_a_signal_right_after_the_lock_was_made_leaves_nothing(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = module._create_lock

    def told_to_end(path: Path) -> int:
        create(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_create_lock", told_to_end)
    with pytest.raises(KeyboardInterrupt), scratch_directory(parent):
        pass
    assert list(parent.iterdir()) == []
