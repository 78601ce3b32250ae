"""Failpoints: off unless armed, and then exact."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import pathlib, sys
from opsctl.core.store import put
from opsctl.core.store.directory import DirectoryStore
store = DirectoryStore(pathlib.Path(sys.argv[1]))
for number in range(3):
    put(store, f"key-{number}", b"x")
    print(number, flush=True)
"""


def run(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_unarmed_they_do_nothing(tmp_path: Path) -> None:
    assert run(tmp_path).stdout.split() == ["0", "1", "2"]


def test_an_armed_one_kills_at_the_pass_that_was_named(tmp_path: Path) -> None:
    done = run(tmp_path, OPSCTL_FAILPOINT="store.before_publish@2")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["0"])
    assert sorted(path.name for path in tmp_path.glob("key-*")) == ["key-0"]
    done = run(tmp_path / "other", OPSCTL_FAILPOINT="store.after_publish")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert [path.name for path in (tmp_path / "other").glob("key-*")] == ["key-0"]


def test_a_trace_names_what_was_passed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    run(tmp_path / "store", OPSCTL_FAILPOINT_TRACE=str(trace))
    one = ["store.write", "store.before_fsync", "store.before_publish", "store.after_publish"]
    assert trace.read_text().split() == one * 3
