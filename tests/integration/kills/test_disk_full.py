"""A full disk, wherever it is and whatever is being written: an error that says so, and nothing half-done."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from tests.integration.kills.invariants import leftovers, published
from tests.integration.kills.killing import restored_in_part, words_of
from tests.integration.kills.machine import Ended, Machine
from tests.support.disk import BLOCK, MIB, Disk, small_disk

_FULL = ("No space left on device", "disk is full", "no room", "Errcode: 28", "OS errno 28")


@contextmanager
def on_a_small_disk(origin: Machine, directory: Path, part: str, size: int) -> Iterator[tuple[Machine, Disk]]:
    """A copy of a machine, one directory of which is a disk of its own."""
    machine = origin.copy(directory / "m")
    place = machine.directory / part
    kept = place.rename(place.with_name(f"{part}.kept")) if place.exists() else None
    with small_disk(place, size) as disk:
        if kept is not None:
            shutil.copytree(kept, place, dirs_exist_ok=True)
            shutil.rmtree(kept)
        yield machine, disk


def used_by(machine: Machine, disk: Disk, command: str) -> int:
    """Bytes that a run of a command keeps on the disk."""
    before = disk.free
    machine.succeed(*words_of(command, machine))
    return before - disk.free


def refuses(machine: Machine, disk: Disk, room: int, command: str) -> Ended:
    """Run a command with only so much room; unless it does with that, it has to say what is wrong and what to type."""
    before = published(machine)
    disk.leave(room)
    ended = machine.opsctl(*words_of(command, machine))
    disk.make_room()
    after = published(machine)
    assert not before.lost(after), f"lost: {before.lost(after)}"
    if ended.code == ExitCode.DONE:
        return ended
    assert ended.code == ExitCode.FAILED, f"with {room} bytes of room: {ended}"
    assert "defect in opsctl" not in ended.err, f"with {room} bytes of room: {ended}"
    said = " ".join(ended.err.split())
    assert any(words in said for words in _FULL), f"with {room} bytes of room: {ended}"
    assert str(disk.path) in said, ended
    assert "Try:" in said, ended
    assert "df -h" in said, ended
    return ended


def test_a_full_repository(used_machine: Machine, directory: Path) -> None:
    with on_a_small_disk(used_machine, directory, "repository", 64 * MIB) as (machine, disk):
        (machine.directory / "root/srv/site/picture.jpg").write_bytes(os.urandom(MIB // 2))
        whole = used_by(machine, disk, "backup")
        database = next(machine.repository.rglob("db.mbstream.zst.age")).stat().st_size
        rooms = {
            "db.mbstream": database // 2,
            "files-site.tar": database + MIB // 8,
            **{f"the last {blocks} blocks": whole - blocks * BLOCK for blocks in (13, 10, 8, 6, 5, 4, 2, 1)},
        }
        said = {stage: refuses(machine, disk, room, "backup") for stage, room in rooms.items()}
        for stage in ("db.mbstream", "files-site.tar"):
            assert stage in said[stage].err
        assert any("keys.tar" in each.err or "state.tar" in each.err for each in said.values())
        assert any("manifest.json" in each.err for each in said.values())
        assert any("heads/" in each.err or "checkpoints/" in each.err for each in said.values())
        machine.succeed("backup", "run")
        assert not leftovers(machine)


@pytest.mark.parametrize("command", ["ship", "drill"])
def test_a_full_repository_while_other_things_are_published(
    used_machine: Machine, directory: Path, command: str
) -> None:
    with on_a_small_disk(used_machine, directory, "repository", 32 * MIB) as (machine, disk):
        machine.succeed(*words_of(command, machine))  # whatever other tests have left to ship
        whole = used_by(machine, disk, command)
        rooms = {whole * eighths // 8 for eighths in range(8)}
        ended = [refuses(machine, disk, room, command) for room in sorted(rooms)]
        assert sum(each.code == ExitCode.FAILED for each in ended) >= 3
        machine.succeed(*words_of(command, machine))
        assert not leftovers(machine)


@pytest.mark.parametrize("command", ["backup", "ship", "drill", "restore"])
def test_a_full_state_directory(used_machine: Machine, directory: Path, command: str) -> None:
    with on_a_small_disk(used_machine, directory, "state", 16 * MIB) as (machine, disk):
        for room in (0, BLOCK, 4 * BLOCK, 10 * BLOCK):
            ended = refuses(machine, disk, room, command)
            assert room or ended.code == ExitCode.FAILED
        machine.succeed(*words_of(command, machine))
        assert not leftovers(machine)


ROOMS = (MIB, 16 * MIB, 24 * MIB, 40 * MIB, 80 * MIB, 160 * MIB)


def test_a_full_scratch_directory_is_no_fault_of_the_backup(used_machine: Machine, directory: Path) -> None:
    with on_a_small_disk(used_machine, directory, "scratch", 700 * MIB) as (machine, disk):
        for room in ROOMS:
            before = published(machine)
            disk.leave(room)
            ended = machine.opsctl("drill", "run")
            disk.make_room()
            assert not before.lost(published(machine))
            assert ended.code in (ExitCode.FAILED, ExitCode.PARTIAL), f"{room}: {ended}"
            said = " ".join(f"{ended.out} {ended.err}".split())
            assert any(words in said for words in _FULL), ended
            assert f"df -h {disk.path}" in said, ended
            assert "new full backup" not in said, ended
        machine.succeed("drill", "run")
        assert not leftovers(machine)


def test_a_full_restore_target(used_machine: Machine, directory: Path) -> None:
    with on_a_small_disk(used_machine, directory, "target", 700 * MIB) as (machine, disk):
        words = ("restore", "--latest", "--to", str(disk.path / "restored"))
        for room in ROOMS:
            disk.leave(room)
            ended = machine.opsctl(*words)
            disk.make_room()
            assert not list(disk.path.iterdir())
            assert ended.code == ExitCode.FAILED, f"{room}: {ended}"
            said = " ".join(ended.err.split())
            assert any(words in said for words in _FULL), ended
            assert f"df -h {disk.path}" in said, ended
        machine.succeed(*words)
        assert not restored_in_part(machine)
        assert not list(disk.path.glob(".*"))
