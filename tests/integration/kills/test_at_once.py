"""Two runs at once: kept apart where they have to be, and let alone where they need not."""

import json
import os
import signal
from pathlib import Path

from opsctl.core.errors import ExitCode
from opsctl.overview import wire
from restore_drill.trust import HeadMemory
from tests.integration.kills.invariants import leftovers, published
from tests.integration.kills.killing import restored_in_part
from tests.integration.kills.machine import Machine, Running
from tests.support.host import STACK


def holding(machine: Machine, name: str, *words: str) -> Running:
    """Start a command, and return once it holds the lock."""
    running = machine.start(*words)
    file = machine.directory / "locks" / f"{name}.lock"
    while not (file.exists() and str(running.pid) in file.read_text()):
        assert not running.wait(0.01), running.end()
    return running


def test_the_second_backup_names_the_first_and_can_wait_for_it(machine: Machine) -> None:
    before = published(machine)
    first = holding(machine, "backup-acme", "backup", "run")
    os.kill(first.pid, signal.SIGSTOP)
    refused = machine.opsctl("backup", "run")
    assert refused.code == ExitCode.LOCKED
    assert f"pid {first.pid}" in refused.err
    assert "--lock-wait" in refused.err
    waiting = machine.start("backup", "run", "--lock-wait", "100")
    assert not waiting.wait(1.0)
    os.kill(first.pid, signal.SIGCONT)
    assert (first.end().code, waiting.end().code) == (0, 0)
    assert len(published(machine).backups) == len(before.backups) + 2


def test_the_lock_of_a_dead_process_is_no_lock(machine: Machine) -> None:
    dead = holding(machine, "ship-acme", "binlog", "ship")
    dead.kill()
    assert dead.end().code == -signal.SIGKILL
    assert str(dead.pid) in (machine.directory / "locks/ship-acme.lock").read_text()
    machine.succeed("binlog", "ship")


def test_shipping_goes_on_during_a_backup(machine: Machine) -> None:
    before = published(machine)
    backup = holding(machine, "backup-acme", "backup", "run")
    shipped = json.loads(machine.succeed("binlog", "ship", "--json"))
    assert shipped["segments"]
    assert backup.end().code == 0
    after = published(machine)
    assert len(after.backups) == len(before.backups) + 1
    assert len(after.segments) > len(before.segments)
    head = wire.catalog(machine.settings).newest_head()
    assert head is not None
    assert (head.newest_backup, head.segments) == (max(after.backups), len(after.segments))


def test_two_drills_at_once_do_not_disturb_each_other(machine: Machine) -> None:
    before = published(machine)
    drills = [machine.start("drill", "run") for _ in range(2)]
    assert [drill.end().code for drill in drills] == [0, 0]
    assert len(published(machine).drills) == len(before.drills) + 2
    assert not leftovers(machine)


def test_a_drill_that_ends_late_does_not_make_the_machine_forget_a_newer_head(machine: Machine) -> None:
    memory = HeadMemory(machine.state, STACK, "local")
    older = memory.recall()
    assert older is not None
    machine.succeed("binlog", "ship")
    machine.succeed("drill", "run")
    newer = memory.recall()
    assert newer is not None
    assert newer.at > older.at
    memory.remember(older)
    assert memory.recall() == newer


def test_of_two_restores_to_one_place_one_succeeds_and_the_other_says_why_not(machine: Machine) -> None:
    target = machine.directory / "restored-1"
    both = [machine.start("restore", "--to", str(target)) for _ in range(2)]
    first, second = sorted((each.end() for each in both), key=lambda ended: ended.code)
    assert first.code == ExitCode.DONE, first
    # It met the first at work, or came after it.
    why = {ExitCode.LOCKED: "--lock-wait", ExitCode.USAGE: "not empty"}
    assert second.code in why, second
    assert why[ExitCode(second.code)] in second.err
    assert not restored_in_part(machine)
    assert not leftovers(machine)


def test_a_restore_is_left_alone_by_one_to_another_place(machine: Machine) -> None:
    targets = [machine.directory / f"restored-{number}" for number in (1, 2)]
    both = [machine.start("restore", "--to", str(target)) for target in targets]
    assert [each.end().code for each in both] == [0, 0]
    assert not restored_in_part(machine)
    assert not leftovers(machine)
    assert {Path(target).name for target in targets} <= {path.name for path in machine.directory.iterdir()}
