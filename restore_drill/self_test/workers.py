"""Does the same to many things, several at a time, each in a process.

Processes, not threads: a sandbox dies with the *thread* that started it (PR_SET_PDEATHSIG, prctl(2)). A worker leaves
when the process that started it is gone, and cleans up on its way.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, TypeVar

from opsctl.core.errors import OpsError

_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")

STOP_TIMEOUT_S = 30.0


def in_processes(work: Callable[[_Thing], _Made], things: Sequence[_Thing], workers: int) -> Iterator[_Made]:
    """Yield what `work` makes of each thing, as they are done; with one worker, in this process and in order.

    Raises what `work` raises, after every worker was stopped and has cleaned up; `work` must be fit to be pickled.
    """
    if workers < 2:
        yield from map(work, things)
        return
    waiting = list(reversed(things))
    started = [_start(work) for _ in range(min(workers, len(things)))]
    busy = {pipe: process for process, pipe in started}
    try:
        for pipe in busy:
            pipe.send(waiting.pop())
        while busy:
            for pipe in [found for found in wait(list(busy)) if isinstance(found, Connection)]:
                yield _received(pipe)
                if waiting:
                    pipe.send(waiting.pop())
                else:
                    del busy[pipe]
                    pipe.close()
    finally:
        for process, pipe in started:
            _stop(process, pipe)


def _start(work: Callable[[_Thing], _Made]) -> tuple[SpawnProcess, "Connection[Any, Any]"]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(work, there), daemon=True)
    process.start()
    there.close()
    return process, here


def _received(pipe: "Connection[Any, Any]") -> Any:
    try:
        made = pipe.recv()
    except EOFError:
        raise OpsError(
            "a worker ended before its work did", hint="what it said stands above; if it was killed, see: dmesg"
        ) from None
    if isinstance(made, OpsError):
        raise made
    return made


def _stop(process: SpawnProcess, pipe: "Connection[Any, Any]") -> None:
    """Tell a worker to end; SIGTERM lets it clean up."""
    idle = pipe.closed
    pipe.close()
    if not idle:
        process.terminate()
    process.join(STOP_TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
        process.join()


def _serve(work: Callable[[_Thing], _Made], pipe: "Connection[Any, Any]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us is interrupted too, and stops us
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            thing = pipe.recv()
            try:
                made: _Made | OpsError = work(thing)
            except OpsError as error:  # the process that waits raises it; another error is a defect, and ends this one
                made = OpsError(error.message, where=error.where, hint=error.hint, exit_code=error.exit_code)
            pipe.send(made)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
