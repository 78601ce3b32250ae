"""Where decrypted binary logs lie while they are sealed."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backup.binlog import space
from backup.binlog.space import memory_base, private_space, room_in
from opsctl.core.errors import OpsError
from opsctl.core.machine import MachineSection

_HOLD = """
import sys, time
from pathlib import Path
from backup.binlog.space import private_space
from opsctl.core.machine import MachineSection
with private_space(MachineSection(state_dir=Path(sys.argv[1])), 1) as directory:
    (directory / "bin.000001").write_text("plain")
    print(directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path: Path) -> MachineSection:
    return MachineSection(state_dir=tmp_path / "state")


def holder(machine: MachineSection) -> tuple["subprocess.Popen[str]", Path]:
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(machine.state_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def test_it_lies_in_memory_is_private_and_goes_with_all_it_holds(machine: MachineSection) -> None:
    with private_space(machine, 1000) as directory:
        assert directory.is_relative_to("/dev/shm")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (directory / "bin.000001").write_text("plain")
    assert not directory.exists()


def test_what_memory_cannot_hold_goes_below_the_state_directory(machine: MachineSection) -> None:
    size = room_in(memory_base()) + (64 << 20)
    with private_space(machine, size) as directory:
        assert directory.is_relative_to(machine.state_dir)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert list((machine.state_dir / "fetch").iterdir()) == []


def test_memory_is_taken_only_to_half_of_what_is_available() -> None:
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert room_in(memory_base()) <= int(meminfo["MemAvailable"].split()[0]) * 1024 * 6 // 10


def test_a_file_for_which_there_is_no_room_anywhere_is_refused(machine: MachineSection) -> None:
    with pytest.raises(OpsError, match="no room"), private_space(machine, 1 << 60):
        pass


def test_the_next_run_removes_what_a_killed_one_left_but_nothing_of_a_running_one(machine: MachineSection) -> None:
    killed, left = holder(machine)
    running, kept = holder(machine)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "bin.000001").exists()
        with private_space(machine, 1):
            assert not left.exists()
            assert (kept / "bin.000001").exists()
    finally:
        running.communicate("")
        killed.communicate()
    assert not kept.exists()


def test_a_directory_that_others_may_read_is_refused(
    machine: MachineSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "SHARED_MEMORY", tmp_path)
    base = tmp_path / f"opsctl-{os.geteuid()}"
    base.mkdir()
    base.chmod(0o755)
    with pytest.raises(OpsError, match="others may read"), private_space(machine, 1):
        pass
    base.rmdir()
    base.symlink_to(tmp_path)
    with pytest.raises(OpsError, match="others may read"), private_space(machine, 1):
        pass
