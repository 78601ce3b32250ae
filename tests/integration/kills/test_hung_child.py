"""A program that hangs is given up within its time, with the reason, and holds nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from tests.integration.kills.invariants import commits_go_through, leftovers, published, wait_for_the_end_of
from tests.integration.kills.machine import TIMEOUT_S, Ended, Machine

# What is asked for its version answers still.
_HANG = """#!/bin/sh
case "$*" in *--version*) cat VERSION; exit 0;; esac
exec sleep 100000
"""
# In a mount namespace of its own the program's place is taken by one that hangs.
_INSTEAD = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


def with_hanging(machine: Machine, program: str, *words: str) -> Ended:
    """Run a command on a machine where a program of the system hangs."""
    hanging = machine.directory / "hanging"
    hanging.write_text(_HANG.replace("VERSION", f"{hanging}.version"))
    hanging.chmod(0o755)
    place = Path(shutil.which(program) or program)
    version = subprocess.run([place, "--version"], check=False, capture_output=True, text=True)
    hanging.with_suffix(".version").write_text(version.stdout + version.stderr)
    command = [sys.executable, "-m", "opsctl", "--config", str(machine.config), *words]
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", _INSTEAD, "sh", str(hanging), str(place.resolve()), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        out, err = child.communicate(timeout=TIMEOUT_S)
    wait_for_the_end_of(child.pid, machine)
    return Ended(child.returncode, out, " ".join(err.split()))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("mariadb-backup", "mariadb-backup took longer than 4 s and was killed"),
        ("zstd", "a writer took no bytes for 1 s"),
        ("age", "took longer than 4 s and was killed"),
    ],
)
def test_in_a_backup(machine: Machine, program: str, said: str) -> None:
    before = published(machine)
    machine.change(backup={"timeout_s": 4.0, "stall_s": 1.0})
    ended = with_hanging(machine, program, "backup", "run")
    assert ended.code == ExitCode.FAILED, ended
    assert said in ended.err
    commits_go_through(machine.server)
    assert published(machine).backups == before.backups
    assert not leftovers(machine)
    machine.change(backup={"timeout_s": 600.0, "stall_s": 30.0})
    machine.succeed("backup", "run")


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("mariadb-binlog", ExitCode.UNREACHABLE, "from the server within"),
        ("zstd", ExitCode.FAILED, "took longer than"),
    ],
)
def test_in_a_shipment(machine: Machine, program: str, code: ExitCode, said: str) -> None:
    before = published(machine)
    machine.change(binlog={"timeout_s": 4.0})
    ended = with_hanging(machine, program, "binlog", "ship")
    assert ended.code == code, ended
    assert said in ended.err
    assert not before.lost(published(machine))
    machine.change(binlog={"timeout_s": 600.0})
    machine.succeed("binlog", "ship")


@pytest.mark.parametrize("program", ["age", "mbstream", "mariadb-backup"])
def test_in_a_drill_it_is_no_fault_of_the_backup(machine: Machine, program: str) -> None:
    machine.change(drill={"timeout_s": 6.0})
    ended = with_hanging(machine, program, "drill", "run")
    assert ended.code == ExitCode.PARTIAL, ended
    assert "failed" not in ended.out
    assert "took longer than" in " ".join(ended.out.split())
    assert not leftovers(machine)
    machine.change(drill={"timeout_s": 600.0})
    machine.succeed("drill", "run")


@pytest.mark.parametrize("program", ["age", "mbstream", "mariadb-backup"])
def test_in_a_restore(machine: Machine, program: str) -> None:
    machine.change(drill={"timeout_s": 6.0})
    target = machine.directory / "restored-1"
    ended = with_hanging(machine, program, "restore", "--to", str(target))
    assert ended.code == ExitCode.FAILED, ended
    assert "took longer than" in ended.err
    assert not target.exists()
    assert not leftovers(machine)
