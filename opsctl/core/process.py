"""Child programs: the only place, with pipeline.py beside it, that starts any.

A `Command` is data, built by pure functions and tested as such. Secrets in it are `SecretStr` and never shown. The
environment of a child is made anew, not inherited: whatever the operator's shell exports stays there.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from opsctl.core.errors import OpsError
from opsctl.core.room import says_full

Word = str | SecretStr
Child = subprocess.Popen[bytes]
TAIL_BYTES = 8192
BASE_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Command:
    """A program to run: `argv`, extra environment, inherited descriptors, and the exit statuses that mean success.

    `shown`: the words that a person sees, when `argv` begins with those of a wrapper.
    """

    argv: tuple[Word, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    pass_fds: tuple[int, ...] = ()
    ok: frozenset[int] = frozenset({0})
    shown: tuple[Word, ...] | None = None

    @property
    def program(self) -> str:
        """The name of the program, without its directory."""
        return Path(str((self.shown or self.argv)[0])).name

    def plain(self) -> list[str]:
        """The words as the kernel gets them."""
        return [word.get_secret_value() if isinstance(word, SecretStr) else word for word in self.argv]

    def masked(self) -> str:
        """The words as a person may see them."""
        return " ".join("********" if isinstance(word, SecretStr) else word for word in self.shown or self.argv)

    def prefixed(self, words: Sequence[Word], *, pass_fds: tuple[int, ...] = ()) -> "Command":
        """Return the same command behind a wrapper such as `setpriv …` or `bwrap …`; errors still name the command."""
        argv, shown = (*words, *self.argv), self.shown or self.argv
        return replace(self, argv=argv, shown=shown, pass_fds=(*self.pass_fds, *pass_fds))


def command(*words: Word | Path, ok: frozenset[int] = frozenset({0}), **env: str) -> Command:
    """Build a Command from words; paths become strings, keywords become its environment."""
    return Command(tuple(str(w) if isinstance(w, Path) else w for w in words), env=env, ok=ok)


@dataclass(frozen=True)
class Completed:
    """How a program ended: exit status (negative: the signal), standard output, last part of standard error."""

    command: Command
    status: int
    stdout: bytes
    stderr: str
    duration_s: float

    @property
    def ok(self) -> bool:
        """Whether the exit status is one that means success."""
        return self.status in self.command.ok

    def text(self) -> str:
        """Standard output as text, without the last line end."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class CommandFailedError(OpsError):
    """A program ended badly, was not found, or ran out of time. Its message carries its last lines."""

    def __init__(self, completed: Completed, why: str | None = None) -> None:
        self.completed = completed
        lines = [line for line in completed.stderr.strip().splitlines() if line.strip()][-4:]
        # Programs that work on hostile data may say anything, to a terminal too.
        detail = "".join(f"\n    {''.join(filter(str.isprintable, line))}" for line in lines)
        super().__init__(
            f"{completed.command.program} {why or describe_status(completed.status)}{detail}",
            where=completed.command.masked(),
            hint="make room: df -h" if says_full(detail) else "is everything in place? run: opsctl doctor",
        )


class TimedOutError(CommandFailedError):
    """A program took too long; it has been killed."""

    def __init__(self, completed: Completed, limit_s: float) -> None:
        super().__init__(completed, f"took longer than {limit_s:g} s and was killed")
        self.hint = "see what it waits for: dmesg; if it is only slow, raise timeout_s: opsctl config show"


def describe_status(status: int) -> str:
    """Say an exit status in words: `exited with 2`, `was killed by SIGKILL`."""
    if status >= 0:
        return f"exited with {status}"
    return f"was killed by {signal.Signals(-status).name}"


def not_found(cmd: Command) -> OpsError:
    """The error for a program that is not installed."""
    return OpsError(f"{Path(cmd.plain()[0]).name} is not installed", where=cmd.masked(), hint="run: opsctl doctor")


def run(cmd: Command, *, timeout_s: float, stdin: bytes | None = None, check: bool = True) -> Completed:
    """Run a program to its end, with everything it says captured.

    Raises CommandFailedError for a bad exit status (unless `check` is false) and, always, TimedOutError when it took
    longer than `timeout_s` seconds; it has been killed then.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        child = spawn(cmd, stdin=subprocess.PIPE if stdin is not None else None, stdout=subprocess.PIPE, stderr=errors)
        timed_out = False
        try:
            out, _ = child.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            kill(child)
            out, _ = child.communicate()
        except BaseException:
            kill(child)
            child.wait()
            raise
        done = Completed(cmd, child.returncode, out or b"", tail(errors), time.monotonic() - started)
    if timed_out:
        raise TimedOutError(done, timeout_s)
    if check and not done.ok:
        raise CommandFailedError(done)
    return done


def spawn(
    cmd: Command, *, stdin: int | IO[bytes] | None, stdout: int | IO[bytes], stderr: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, so that Ctrl-C reaches only opsctl, which then ends it.

    No standard input means /dev/null. Raises OpsError when the program is not there.
    """
    try:
        return subprocess.Popen(
            cmd.plain(),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            env={**BASE_ENV, **cmd.env},
            cwd=cmd.cwd,
            pass_fds=cmd.pass_fds,
            process_group=0,
        )
    except FileNotFoundError:
        raise not_found(cmd) from None


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a program and everything in its process group, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def stop(child: subprocess.Popen[bytes], *, grace_s: float) -> int:
    """Ask a program to end (SIGTERM), kill it after `grace_s` seconds; return its exit status."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        return child.wait(grace_s)
    except subprocess.TimeoutExpired:
        kill(child)
        return child.wait()


def ended(child: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Wait for a program to end; False when it has not after `timeout_s` seconds."""
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def tail(errors: IO[bytes]) -> str:
    """The last part of what a program wrote to a file as its standard error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - TAIL_BYTES))
    return errors.read().decode(errors="replace")


@contextlib.contextmanager
def client_options(
    *, user: str, password: SecretStr | None, socket: Path | None = None, **more: str
) -> Iterator[tuple[str, int]]:
    """Hand a database password to a MariaDB program through an inherited descriptor, never argv or environment.

    Yields the option `--defaults-extra-file=/dev/fd/N` and the descriptor N for `Command.pass_fds`. MariaDB ignores
    option files that others may write, so the in-memory file gets mode 0600.
    """
    lines = ["[client]", f"user={quote_option(user)}"]
    if password is not None:
        lines.append(f"password={quote_option(password.get_secret_value())}")
    if socket is not None:
        lines.append(f"socket={quote_option(str(socket))}")
    lines += [f"{key}={quote_option(value)}" for key, value in more.items()]
    descriptor = os.memfd_create("opsctl-client")
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, ("\n".join(lines) + "\n").encode())
        yield f"--defaults-extra-file=/dev/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


def quote_option(value: str) -> str:
    """Quote a value for a MariaDB option file, where backslash, quotes and # would otherwise be taken apart."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
