"""Killed at any write, fsync, publish or ledger append: nothing is half-visible, and the next run completes."""

import shutil
from pathlib import Path

import pytest

from tests.integration.kills.invariants import published
from tests.integration.kills.killing import COMMANDS, Kill, all_hold, kill, points_of
from tests.integration.kills.machine import Machine

# What nobody may lose by taking a failpoint away; each command passes others besides.
_NEEDED = {
    "backup": {"backup.after_lsn_dir", "backup.after_snapshot", "ship.space_made"},
    "incremental": {"backup.after_lsn_dir", "backup.after_snapshot", "backup.after_files", "ship.space_made"},
    "ship": {"ship.space_made", "ship.fetched", "ship.heartbeat_written", "state.before_fsync", "state.after_replace"},
    "drill": {"scratch.laid_out", "restore.before_prepare", "restore.server_started", "state.before_replace"},
    "restore": {"restore.data_delivered", "restore.before_rename", "restore.after_rename", "scratch.before_removal"},
}
_PUBLISHING = {"store.write", "store.before_fsync", "store.before_publish", "store.after_publish"}
BATCH = 8
_LEDGER = {"ledger.before_commit", "ledger.after_commit"}


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_any_failpoint(used_machine: Machine, directory: Path, command: str) -> None:
    kills, _ = points_of(command, up_to_date(used_machine, directory / "traced"))
    names = {str(each.at).partition("@")[0] for each in kills}
    needed = _NEEDED[command] | _LEDGER | (_PUBLISHING if command != "restore" else set())
    assert needed <= names, f"not passed: {needed - names}"
    for first in range(0, len(kills), BATCH):
        origin = up_to_date(used_machine, directory / f"from-{first}")
        _hold_all(origin, directory, kills[first : first + BATCH])


def up_to_date(used: Machine, directory: Path) -> Machine:
    """A copy that has one binary log to ship, and not all those that other machines have begun on the same server.

    In its site one file is new, and one is gone.
    """
    copy = used.copy(directory)
    copy.succeed("binlog", "ship")
    copy.server.sql("REPLACE INTO shop.t VALUES (30, 'work')", "FLUSH BINARY LOGS")
    site = copy.directory / "root/srv/site"
    (site / "old.html").unlink()
    (site / "new.html").write_text("new")
    return copy


@pytest.mark.parametrize("command", ["backup", "ship"])
def test_killed_in_the_very_first_run_at_what_only_it_does(
    new_machine: Machine, used_machine: Machine, directory: Path, command: str
) -> None:
    kills, _ = points_of(command, new_machine.copy(directory / "traced"))
    first = [each for each in kills if str(each.at).startswith("ledger.") or each.at == "store.after_publish@1"]
    assert {"ledger.before_create@1", "ledger.after_create@1"} <= {each.at for each in first}
    _hold_all(new_machine, directory, first)


def _hold_all(origin: Machine, directory: Path, kills: list[Kill]) -> None:
    before = published(origin)

    def hold(each: Kill) -> None:
        copy = origin.copy(directory / str(each.at))
        kill(copy, before, each)
        shutil.rmtree(copy.directory)

    all_hold(kills, hold)
