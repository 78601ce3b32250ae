"""Nothing outlives a restore: neither processes nor plain text, however it ends."""

import dataclasses
import os
import pickle
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.core.errors import LockedError, OpsError
from opsctl.core.locks import held
from restore_drill import steps
from restore_drill.restore import restore
from restore_drill.workspace import remove_dead, workspace
from tests.integration.restore.conftest import History
from tests.support.repository import Repository

# Restores as the program does, and waits once the scratch server runs.
RUN = """
import pickle, sys
from pathlib import Path
from restore_drill import steps
from restore_drill.restore import restore
host = pickle.load(open(sys.argv[1], "rb"))
def wait(*arguments):
    print("up", flush=True)
    sys.stdin.read()
steps._replay = wait
restore(host, Path(sys.argv[2]), latest=True)
"""


def test_killed_at_its_worst_it_leaves_no_server_and_the_next_run_removes_its_files(
    history: History, repo: Repository
) -> None:
    target = repo.directory / "restored"
    process = _restoring(repo, target)
    servers = [os.pidfd_open(pid) for pid in _descendants(process.pid)]
    assert servers
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for server in servers:
        assert select.select([server], [], [], 60)[0]
        os.close(server)
    assert list(repo.directory.glob(".opsctl-restore-*"))
    assert not target.exists()
    restore(repo.host, target)
    assert not list(repo.directory.glob(".opsctl-restore-*"))
    assert (target / "START.txt").exists()


def test_while_it_runs_a_lock_says_so_and_keeps_a_second_one_from_the_same_place(repo: Repository) -> None:
    target = repo.directory / "restored"
    process = _restoring(repo, target)
    said = held(repo.host.machine.lock_dir, ["restore-*"])
    assert said is not None
    assert f"restore to {target}" in said
    with pytest.raises(LockedError, match="restore to"):
        restore(repo.host, target)
    process.kill()
    process.communicate()
    assert held(repo.host.machine.lock_dir, ["restore-*"]) is None


def test_without_a_place_for_locks_it_goes_on_all_the_same(history: History, repo: Repository) -> None:
    (repo.directory / "file").touch()
    machine = repo.host.machine.model_copy(update={"lock_dir": repo.directory / "file" / "locks"})
    restore(dataclasses.replace(repo.host, machine=machine), repo.directory / "restored")
    assert (repo.directory / "restored" / "START.txt").exists()


def test_interrupted_it_cleans_up_itself(repo: Repository) -> None:
    process = _restoring(repo, repo.directory / "restored")
    servers = [os.pidfd_open(pid) for pid in _descendants(process.pid)]
    process.send_signal(signal.SIGINT)
    process.communicate()
    for server in servers:
        assert select.select([server], [], [], 60)[0]
        os.close(server)
    assert not [path.name for path in repo.directory.iterdir() if "restore" in path.name]


def test_a_step_that_fails_leaves_nothing(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **others: object) -> None:
        raise OpsError("the disk is full")

    monkeypatch.setattr(steps, "prepare", fail)
    with pytest.raises(OpsError, match="disk is full"):
        restore(repo.host, repo.directory / "restored")
    assert not [path.name for path in repo.directory.iterdir() if "restore" in path.name]


def test_a_running_restore_is_left_alone_by_another(directory: Path) -> None:
    with workspace(directory) as paths:
        assert remove_dead(directory) == 0
        assert paths.data.is_dir()
    assert not list(directory.iterdir())


def _restoring(repo: Repository, target: Path) -> "subprocess.Popen[bytes]":
    """A restore in a process of its own, whose scratch server runs."""
    (repo.directory / "host.pickle").write_bytes(pickle.dumps(repo.host))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, repo.directory / "host.pickle", target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def _descendants(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(below for child in found for below in _descendants(child))]
