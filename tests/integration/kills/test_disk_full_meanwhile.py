"""Disks that fill while somebody works on them: a replay that makes more than it reads, memory too full to fetch in."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from tests.integration.kills.invariants import leftovers, published
from tests.integration.kills.machine import LOGGING, Ended, Machine, make_machine
from tests.support.disk import MIB, small_disk
from tests.support.mariadb import Server, running_server

_GROWTH = 250 * MIB


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(LOGGING) as running:
        running.sql("CREATE DATABASE shop")
        yield running


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def machine(server: Server, directory: Path) -> Machine:
    return make_machine(directory / "m", server)


@pytest.mark.parametrize(("command", "engine"), [("restore", "InnoDB"), ("restore", "Aria"), ("drill", "MyISAM")])
def test_a_disk_that_fills_while_logs_are_replayed(machine: Machine, engine: str, command: str) -> None:
    """The statement takes a line in the binary log, and hundreds of megabytes where it is replayed. For tables other
    than InnoDB's a server would wait for room for ever."""
    machine.server.sql(f"CREATE OR REPLACE TABLE shop.grown (i INT PRIMARY KEY, note LONGTEXT) ENGINE={engine}")
    machine.succeed("backup", "run")
    machine.server.sql(
        "USE shop",
        "SET SESSION binlog_format = STATEMENT",
        f"INSERT INTO grown SELECT seq, REPEAT('x', {MIB}) FROM seq_1_to_{_GROWTH // MIB}",
    )
    machine.succeed("binlog", "ship")
    machine.server.sql("DROP TABLE shop.grown")
    before = published(machine)
    with small_disk(machine.directory / "small", 420 * MIB) as disk:
        machine.change(drill={"scratch_dir": disk.path})
        restore = ("restore", "--latest", "--to", str(disk.path / "restored"))
        ended = machine.opsctl(*(restore if command == "restore" else ("drill", "run")))
        assert not list(disk.path.iterdir())
        said = " ".join(f"{ended.out} {ended.err}".split())
        assert ended.code == (ExitCode.FAILED if command == "restore" else ExitCode.PARTIAL), ended
        assert "the disk is full" in said, ended
        assert f"df -h {disk.path}" in said, ended
        assert "Waiting for someone" not in said or engine != "InnoDB"
    assert not before.lost(published(machine))


def with_memory(options: str, machine: Machine, *words: str) -> Ended:
    """Run a command that sees another /dev/shm, mounted with these options."""
    script = f'mount -t tmpfs -o {options} tmpfs /dev/shm; exec "$@"'
    program = (sys.executable, "-m", "opsctl", "--config", str(machine.config), *words)
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-ec", script, "sh", *program), capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def write_some(machine: Machine) -> None:
    """A megabyte of binary log."""
    machine.server.sql(
        "CREATE TABLE IF NOT EXISTS shop.t (note LONGTEXT)",
        "SET SESSION binlog_format = ROW",
        f"INSERT INTO shop.t VALUES (REPEAT('x', {MIB}))",
    )


def test_memory_too_small_for_a_binary_log_leaves_it_to_the_disk(machine: Machine) -> None:
    write_some(machine)
    ended = with_memory("size=512k", machine, "binlog", "ship")
    assert ended.code == ExitCode.DONE, ended
    assert not leftovers(machine)
    assert not list((machine.state / "fetch").iterdir())


@pytest.mark.parametrize("inodes", [1, 2, 3])
def test_memory_that_takes_no_more_files_is_named(machine: Machine, inodes: int) -> None:
    """Full for the directory, for one in it, and for the binary log, though there is room for its bytes."""
    write_some(machine)
    ended = with_memory(f"nr_inodes={inodes},size=64m", machine, "binlog", "ship")
    assert ended.code == ExitCode.FAILED, ended
    assert "the disk is full" in ended.err, ended
    assert "df -h /dev/shm" in ended.err, ended
    machine.succeed("binlog", "ship")
    assert not leftovers(machine)


def test_no_room_in_memory_nor_on_the_disk_is_told_with_what_is_needed(machine: Machine) -> None:
    write_some(machine)
    with small_disk(machine.state, 16 * MIB) as disk:
        disk.leave(MIB // 2)
        ended = with_memory("size=512k", machine, "binlog", "ship")
        assert ended.code == ExitCode.FAILED, ended
        assert "no room for a binary log of" in ended.err, ended
        assert "df -h" in ended.err, ended
        disk.make_room()
        ended = with_memory("size=512k", machine, "binlog", "ship")
        assert ended.code == ExitCode.DONE, ended
