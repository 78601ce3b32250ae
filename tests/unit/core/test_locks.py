"""Locks: one holder, who is named, and none left by the dead."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode, LockedError
from opsctl.core.locks import held, lock

HOLD = """
import sys, pathlib
from opsctl.core.locks import lock
with lock(pathlib.Path(sys.argv[1]), "backup-acme", doing="backup run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(directory: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    return child


def finish(child: subprocess.Popen[bytes]) -> None:
    child.communicate()
    assert child.returncode in {0, -signal.SIGKILL}


def test_a_held_lock_names_its_holder(tmp_path: Path) -> None:
    child = holder(tmp_path)
    says = rf"backup run, by \S+ \(pid {child.pid}\) since 20"
    with pytest.raises(LockedError, match=says) as caught, lock(tmp_path, "backup-acme", doing="something else"):
        pass
    assert caught.value.exit_code is ExitCode.LOCKED
    assert "--lock-wait" in str(caught.value.hint)
    finish(child)


def test_waiting_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    child = holder(tmp_path)
    assert child.stdin is not None
    child.stdin.close()
    with lock(tmp_path, "backup-acme", doing="mine", wait_s=30):
        assert json.loads((tmp_path / "backup-acme.lock").read_text())["pid"] == os.getpid()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    child = holder(tmp_path)
    child.kill()
    finish(child)
    with lock(tmp_path, "backup-acme", doing="mine"):
        pass


def test_waiting_ends_at_its_limit(tmp_path: Path) -> None:
    child = holder(tmp_path)
    started = time.monotonic()
    with pytest.raises(LockedError), lock(tmp_path, "backup-acme", doing="mine", wait_s=0.5):
        pass
    assert time.monotonic() - started >= 0.5
    finish(child)


def test_different_names_do_not_exclude_each_other(tmp_path: Path) -> None:
    with lock(tmp_path, "backup-acme", doing="a"), lock(tmp_path, "ship-acme", doing="b"):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["backup-acme.lock", "ship-acme.lock"]


def test_who_holds_what_is_seen_without_taking_anything(tmp_path: Path) -> None:
    assert held(tmp_path, ["backup-*"]) is None
    child = holder(tmp_path)
    said = held(tmp_path, ["restore-*", "backup-*"])
    assert said is not None
    assert "backup run, by" in said
    assert held(tmp_path, ["restore-*"]) is None
    child.kill()
    finish(child)
    assert (tmp_path / "backup-acme.lock").read_text()
    assert held(tmp_path, ["backup-*"]) is None
