"""One kill of one command, and everything that has to hold after it and after the next run."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backup.binlog.space import memory_base
from backup.chain import chain_of
from opsctl.overview import wire
from tests.integration.kills.invariants import (
    Published,
    commits_go_through,
    leftovers,
    published,
    unowned_plain_text,
    wait_for_the_end_of,
)
from tests.integration.kills.machine import Machine

AT_ONCE = 4
_GONE_S = 10.0
Case = TypeVar("Case")

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "backup": ("backup", "run", "--kind", "full"),
    "incremental": ("backup", "run", "--kind", "incremental"),
    "ship": ("binlog", "ship"),
    "drill": ("drill", "run"),
    "restore": ("restore", "--latest", "--to"),
}


@dataclass(frozen=True)
class Kill:
    """How to kill a command: at a failpoint (`NAME@N`) or after so many seconds."""

    command: str
    at: str | None = None
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.command} killed at {self.at or f'{self.after_s:.3f} s'}"


def words_of(command: str, machine: Machine) -> tuple[str, ...]:
    """The words of a command; a restore goes to a directory that is not there yet."""
    words = COMMANDS[command]
    if command != "restore":
        return words
    targets = (machine.directory / f"restored-{number}" for number in range(1, 10))
    return (*words, str(next(target for target in targets if not target.exists())))


def points_of(command: str, machine: Machine) -> tuple[list[Kill], float]:
    """Run a command to its end, and name the places to kill it at: the first, middle and last pass of each failpoint;
    and how long it took, in seconds."""
    trace = machine.directory / "trace"
    began = time.monotonic()
    ended = machine.opsctl(*words_of(command, machine), env={"OPSCTL_FAILPOINT_TRACE": str(trace)})
    duration_s = time.monotonic() - began
    assert ended.code == 0, ended
    passes = Counter(trace.read_text().split())
    kills = []
    for name, count in passes.items():
        # Bytes arrive in pieces of any size: how often they are written is not the same each time.
        chosen = {1, (count + 1) // 2} if name == "store.write" else {1, (count + 1) // 2, count}
        # A full backup does nothing that an incremental one does not do as well.
        chosen = {1} if command == "backup" else chosen
        kills += [Kill(command, f"{name}@{number}") for number in sorted(chosen)]
    return kills, duration_s


def kill(machine: Machine, before: Published, how: Kill) -> None:
    """Kill a command of a machine, and hold everything that was promised. Raises AssertionError or OpsError."""
    words = words_of(how.command, machine)
    armed = {"OPSCTL_FAILPOINT": how.at} if how.at else {}
    child = machine.start(*words, env=armed)
    if how.at is None and not child.wait(how.after_s):
        child.kill()
    ended = child.end()
    assert ended.code in ({-signal.SIGKILL} if how.at else {-signal.SIGKILL, 0}), str(ended)
    wait_for_the_end_of(child.pid, machine)
    commits_go_through(machine.server)
    after = published(machine)
    assert not before.lost(after), f"lost by the kill: {before.lost(after)}"
    assert not restored_in_part(machine), "a restore is there in part"
    left = unowned_plain_text(memory_base())

    next_run = machine.opsctl(*words_of(how.command, machine))
    assert next_run.code == 0, f"the next run: {next_run}"
    last = published(machine)
    assert not after.lost(last), f"lost by the next run: {after.lost(last)}"
    assert not restored_in_part(machine)
    assert last.records > after.records
    assert not leftovers(machine), f"left behind: {leftovers(machine)}"
    if how.command == "incremental":
        _stands_on_what_was_there(machine, after, last, looked_at=how.at is None or how.at.startswith("backup."))
    if how.command in ("backup", "incremental", "ship"):
        _wait_until_gone(left)


def _stands_on_what_was_there(machine: Machine, after: Published, last: Published, *, looked_at: bool) -> None:
    """The next backup is an incremental one on the newest that there was, and, if it is looked at, brings the site back
    as it is."""
    [made] = last.backups - after.backups
    assert chain_of(wire.catalog(machine.settings), made)[-2].id == max(after.backups)
    if not looked_at:
        return
    to = machine.directory / "looked-at"
    machine.succeed("restore", "--backup", made, "--to", str(to))
    site, restored = machine.directory / "root/srv/site", to / "files/srv/site"
    assert {path.name: path.read_bytes() for path in restored.iterdir()} == {
        path.name: path.read_bytes() for path in site.iterdir()
    }


def restored_in_part(machine: Machine) -> list[Path]:
    """Restored directories that are not whole; START.txt is written last."""
    parts = ("data/ibdata1", "files/srv/site/index.html", "state", "my.cnf", "START.txt")
    found = machine.directory.glob("restored-*")
    return [path for path in found if not all((path / part).exists() for part in parts)]


def _wait_until_gone(left: set[str]) -> None:
    """Plain text of killed runs is removed by the next run, whichever of those that run at once takes it."""
    deadline = time.monotonic() + _GONE_S
    while left & unowned_plain_text(memory_base()):
        assert time.monotonic() < deadline, "decrypted binary logs were left behind"
        time.sleep(0.05)


def all_hold(cases: Sequence[Case], hold: Callable[[Case], None]) -> None:
    """Try all cases, several at once, and raise one AssertionError that names every one that did not hold."""

    def attempt(case: Case) -> str | None:
        try:
            hold(case)
        except Exception as error:  # noqa: BLE001 - reported with its case
            return f"{case}: {type(error).__name__}: {error}"
        return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        failures = [failure for failure in threads.map(attempt, cases) if failure]
    assert not failures, "\n".join([f"{len(failures)} of {len(cases)} did not hold:", *failures])
