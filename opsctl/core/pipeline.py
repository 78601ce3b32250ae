"""Pipelines of programs in which every stage is watched.

A shell pipeline hides most of what goes wrong: a producer that was killed leaves zstd, age and mbstream content and
exiting 0. Here every exit status counts, bytes can be looked at between two programs (hashed, counted), and a writer
that stalls takes the whole pipeline down within seconds, so that a producer that holds locks lets go of them.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any, Protocol

from opsctl.core.errors import OpsError
from opsctl.core.process import Command, CommandFailedError, Completed, TimedOutError, kill, spawn, tail

CHUNK = 1 << 20
POLL_S = 0.1
Observer = Callable[[memoryview], object]


class Readable(Protocol):
    """Where a pipeline's bytes may come from: any object with `readinto`."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer; return the number of bytes, 0 at the end."""
        ...


@dataclass(frozen=True)
class Source:
    """The start of a pipeline inside this process."""

    stream: Readable
    observe: tuple[Observer, ...] = ()


@dataclass(frozen=True)
class Tap:
    """A place between two programs where bytes are looked at, in order, and passed on unchanged."""

    observe: tuple[Observer, ...]


@dataclass(frozen=True)
class Sink:
    """The end of a pipeline inside this process."""

    write: Callable[[memoryview], object]
    observe: tuple[Observer, ...] = ()


Stage = Source | Command | Tap | Sink


class StalledError(OpsError):
    """Bytes waited longer than allowed for a writer that does not take them; everything was stopped."""


class GivenUpError(OpsError):
    """Somebody else had no use for the pipeline any more; everything was stopped."""


@dataclass
class Pump:
    """One thread that moves bytes: read, show to the observers, write."""

    read: Callable[[memoryview], int | None]
    observe: tuple[Observer, ...]
    write: Callable[[memoryview], object]
    close: Callable[[], None]
    blocked_since: float | None = None
    error: BaseException | None = None
    broken_pipe: bool = False
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._move, daemon=True)

    def _move(self) -> None:
        buffer = memoryview(bytearray(CHUNK))
        try:
            while count := self.read(buffer):
                chunk = buffer[:count]
                for look in self.observe:
                    look(chunk)
                self.blocked_since = time.monotonic()
                self.write(chunk)
                self.blocked_since = None
        except BrokenPipeError:
            self.broken_pipe = True
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
            self.error = error
        finally:
            self.blocked_since = None
            self.close()


def run_pipeline(
    stages: Sequence[Stage],
    *,
    timeout_s: float,
    stall_s: float | None = None,
    last_stdout: IO[bytes] | None = None,
    given_up: threading.Event | None = None,
) -> list[Completed]:
    """Run the stages joined by pipes and return how each program ended, in order.

    Bytes flow from the first stage to the last. A program at the end writes to `last_stdout`, or to nothing.
    Raises what a source, observer or sink raised; else StalledError when a writer took nothing for `stall_s` seconds;
    else CommandFailedError for the first program that ended badly by itself or when `timeout_s` seconds were over, or
    GivenUpError when another thread has set `given_up`. In every one of these cases, and when interrupted, all programs
    have been killed and waited for.
    """
    with contextlib.ExitStack() as files:
        flow = _Flow(files)
        try:
            flow.start(stages, last_stdout)
            flow.wait(timeout_s, stall_s, given_up or threading.Event())
        except BaseException:
            flow.kill()
            raise
        return flow.results()


class _Flow:
    """The running programs and pumps of one pipeline."""

    def __init__(self, files: contextlib.ExitStack) -> None:
        self.files = files
        self.children: list[tuple[Command, subprocess.Popen[bytes], IO[bytes], float]] = []
        self.ended: dict[int, float] = {}
        self.pumps: list[Pump] = []

    def start(self, stages: Sequence[Stage], last_stdout: IO[bytes] | None) -> None:
        """Start every stage from left to right; each hands the read end of its output to the next."""
        upstream: Any = None
        for number, stage in enumerate(stages):
            last = number == len(stages) - 1
            if isinstance(stage, Source):
                upstream = stage
            elif isinstance(stage, Command):
                upstream = self._program(stage, upstream, last, last_stdout)
            elif isinstance(stage, Tap):
                read_end, write_end = _pipe()
                self._pump(upstream, stage.observe, _writer(write_end), partial(os.close, write_end))
                upstream = read_end
            else:
                self._pump(upstream, stage.observe, stage.write, lambda: None)
        for pump in self.pumps:
            pump.thread.start()

    def _program(self, cmd: Command, upstream: Any, last: bool, last_stdout: IO[bytes] | None) -> int | None:
        stdin: Any = upstream
        if isinstance(upstream, Source):
            stdin, write_end = _pipe()
            self._pump(upstream, (), _writer(write_end), partial(os.close, write_end))
        read_end, write_out = (None, None) if last else _pipe()
        stdout: Any = write_out if write_out is not None else (last_stdout or subprocess.DEVNULL)
        errors: IO[bytes] = self.files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        try:
            child = spawn(cmd, stdin=stdin, stdout=stdout, stderr=errors)
        finally:
            for descriptor in (stdin, write_out):
                if isinstance(descriptor, int):
                    os.close(descriptor)
        self.children.append((cmd, child, errors, time.monotonic()))
        return read_end

    def _pump(
        self,
        upstream: Any,
        observe: tuple[Observer, ...],
        write: Callable[[memoryview], object],
        close: Callable[[], None],
    ) -> None:
        if isinstance(upstream, Source):
            self.pumps.append(Pump(upstream.stream.readinto, (*upstream.observe, *observe), write, close))
            return
        reader = self.files.enter_context(os.fdopen(upstream, "rb", buffering=0))

        def finish() -> None:
            reader.close()
            close()

        self.pumps.append(Pump(reader.readinto, observe, write, finish))

    def wait(self, timeout_s: float, stall_s: float | None, given_up: threading.Event) -> None:
        """Wait for all programs and pumps; raise for the first thing that went wrong."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._reap()
            self._raise_errors(stall_s)
            running = [child for _, child, _, _ in self.children if child.returncode is None]
            if not running and not any(pump.thread.is_alive() for pump in self.pumps):
                self._raise_errors(stall_s)
                return
            if time.monotonic() > deadline:
                self._raise_timeout(timeout_s)
            if given_up.is_set():
                raise GivenUpError("nobody wants what the programs write any more")
            self._pause(running)

    def _pause(self, running: list[subprocess.Popen[bytes]]) -> None:
        alive = next((pump.thread for pump in self.pumps if pump.thread.is_alive()), None)
        if alive is not None:
            alive.join(POLL_S)
        elif running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running[0].wait(POLL_S)

    def _reap(self) -> None:
        for _, child, _, _ in self.children:
            if child.poll() is not None:
                self.ended.setdefault(child.pid, time.monotonic())

    def _raise_errors(self, stall_s: float | None) -> None:
        for pump in self.pumps:
            if pump.error is not None:
                raise pump.error
        failed = [done for done in self.results(only_ended=True) if not done.ok]
        if failed:
            self._settle()
            failed = [done for done in self.results(only_ended=True) if not done.ok]
            raise CommandFailedError(next((done for done in failed if not _is_echo(done)), failed[0]))
        if stall_s is not None:
            now = time.monotonic()
            for pump in self.pumps:
                since = pump.blocked_since
                if since is not None and now - since > stall_s:
                    raise StalledError(
                        f"a writer took no bytes for {stall_s:g} s, so everything before it was stopped",
                        where=self.children[0][0].program if self.children else None,
                        hint="look at the disk or the store; nothing was published",
                    )

    def _settle(self) -> None:
        """Give the other programs a moment to end, so that the cause is reported and not its echo down the pipe."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline and any(child.poll() is None for _, child, _, _ in self.children):
            time.sleep(0.02)
        self._reap()

    def _raise_timeout(self, timeout_s: float) -> None:
        running = [n for n, (_, child, _, _) in enumerate(self.children) if child.returncode is None] or [0]
        # Everything waits for one program: those before it to write to it, those after it to read from it.
        blocked = any(pump.blocked_since is not None for pump in self.pumps)
        self.kill()
        raise TimedOutError(self.results()[running[-1] if blocked else running[0]], timeout_s)

    def kill(self) -> None:
        """Kill all programs and wait for them."""
        for _, child, _, _ in self.children:
            if child.poll() is None:
                kill(child)
        for _, child, _, _ in self.children:
            child.wait()
        self._reap()

    def results(self, *, only_ended: bool = False) -> list[Completed]:
        """How each program ended, in the order of the stages."""
        return [
            Completed(cmd, child.returncode, b"", tail(errors), self.ended.get(child.pid, started) - started)
            for cmd, child, errors, started in self.children
            if not only_ended or child.returncode is not None
        ]


def _writer(descriptor: int) -> Callable[[memoryview], object]:
    def write(chunk: memoryview) -> None:
        while chunk:
            chunk = chunk[os.write(descriptor, chunk) :]

    return write


def _pipe() -> tuple[int, int]:
    read_end, write_end = os.pipe()
    with contextlib.suppress(PermissionError):  # beyond the user's pipe quota the default of 64 KiB has to do
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, CHUNK)
    return read_end, write_end


@contextlib.contextmanager
def reading(producer: Sequence[Stage], *, timeout_s: float) -> Iterator[IO[bytes]]:
    """Read the output of a pipeline as a file; leaving the block waits for it and raises as run_pipeline does.

    When the block raises, the programs are killed; had one of them failed before, that is what is raised.
    """
    read_end, write_end = _pipe()
    outcome: list[BaseException] = []
    given_up = threading.Event()

    def drive() -> None:
        try:
            with os.fdopen(write_end, "wb", buffering=0) as out:
                run_pipeline(producer, timeout_s=timeout_s, last_stdout=out, given_up=given_up)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that reads
            outcome.append(error)

    thread = threading.Thread(target=drive, daemon=True)
    thread.start()
    with os.fdopen(read_end, "rb") as stream:
        try:
            yield stream
            while stream.read(CHUNK):
                pass
        except BaseException as error:
            given_up.set()
            thread.join()
            if isinstance(error, Exception) and outcome and not isinstance(outcome[0], GivenUpError):
                raise outcome[0] from error
            raise
    thread.join()
    if outcome:
        raise outcome[0]


def _is_echo(done: Completed) -> bool:
    """Whether a program failed only because nobody read on behind it; some say so instead of dying of it."""
    return done.status == -signal.SIGPIPE or "Broken pipe" in done.stderr
