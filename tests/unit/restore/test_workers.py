"""Work in several processes: everything is done once, errors come back, and no process is left."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from opsctl.core.errors import ExitCode, IntegrityError, OpsError
from restore_drill.self_test.workers import in_processes


def where(thing: int) -> tuple[int, int]:
    return thing, os.getpid()


def fail(thing: int) -> int:
    raise IntegrityError("it is bad", where=f"thing {thing}", hint="throw it away")


def die(thing: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return thing


def wait(thing: int) -> int:
    time.sleep(thing)
    return thing


def test_each_thing_is_done_once_by_as_many_processes_as_asked_for() -> None:
    done = list(in_processes(where, range(7), 2))
    assert sorted(thing for thing, _ in done) == list(range(7))
    assert os.getpid() not in {process for _, process in done}
    assert len({process for _, process in done}) == 2
    assert multiprocessing.active_children() == []


def test_one_worker_is_this_process_and_keeps_the_order() -> None:
    assert list(in_processes(where, range(3), 1)) == [(thing, os.getpid()) for thing in range(3)]


def test_an_error_comes_back_whole_and_ends_all() -> None:
    with pytest.raises(OpsError, match="it is bad") as caught:
        list(in_processes(fail, range(4), 2))
    assert (caught.value.hint, caught.value.exit_code) == ("throw it away", ExitCode.INTEGRITY)
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_is_noticed() -> None:
    with pytest.raises(OpsError, match="a worker ended before its work did"):
        list(in_processes(die, range(4), 2))
    assert multiprocessing.active_children() == []


def test_whoever_stops_listening_stops_the_workers() -> None:
    made = in_processes(wait, [0, 3600], 2)
    assert next(made) == 0
    made.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


_RUN = """
from restore_drill.self_test.workers import in_processes
from tests.unit.restore.test_workers import stay
if __name__ == "__main__":
    next(in_processes(stay, [1, 2], 2))
"""


def stay(thing: int) -> int:
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    time.sleep(3600)
    return thing


def test_workers_end_in_the_middle_of_their_work_when_the_run_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _RUN], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        workers = [os.pidfd_open(int(run.stdout.readline())) for _ in range(2)]
        run.kill()
        for worker in workers:
            select.select([worker], [], [])
            os.close(worker)
