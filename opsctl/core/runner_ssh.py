"""Runs programs on another host over SSH, behind the same interface as on this one."""

import shlex
import signal
import threading
import time
from collections.abc import Iterable

import paramiko

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.process import BASE_ENV, TAIL_BYTES, Command, Completed, TimedOutError, not_found
from opsctl.core.ssh import SshAccount, SshConnection

CHUNK = 1 << 16
GRACE_S = 5
"""Seconds beyond its limit after which a program that the other side should have killed is given up."""
_TIMED_OUT = 124
_NOT_FOUND = 127


class SshRunner:
    """Runs programs as one account of another host, several at a time if threads ask for it.

    The other side's `timeout` ends what takes too long, so that nothing goes on there when this side has given up.
    Descriptors cannot be passed on: secrets go through `stdin`.
    """

    def __init__(self, account: SshAccount) -> None:
        self._account = account
        self._connection = SshConnection(account)

    @property
    def where(self) -> str:
        """The account."""
        return self._account.where

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def run(self, command: Command, *, timeout_s: float, stdin: bytes | Iterable[bytes] | None = None) -> Completed:
        """Run a program to its end, with `stdin` as its input, and return how it ended, whatever its exit status.

        An input of several parts is sent one by one: it may be larger than memory.
        Raises OpsError when it is not installed, TimedOutError when it took longer than `timeout_s` seconds (it has
        been killed then), UnreachableError when the host is not reached or the connection ends before the program.
        """
        if command.pass_fds:
            raise OpsError("a descriptor cannot be passed to another host", where=command.masked())
        started = time.monotonic()
        channel = self._connection.session()
        try:
            channel.settimeout(timeout_s + GRACE_S)
            channel.exec_command(_line(command, timeout_s))
            out, errors, status = _talk(channel, _parts(stdin), started + timeout_s + GRACE_S)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._connection.lost(channel.get_transport())
            raise UnreachableError(
                f"the connection was lost while {command.program} ran: {str(error) or type(error).__name__}",
                where=self.where,
                hint="it may have gone on there; look before you run it again",
            ) from error
        finally:
            channel.close()
        done = Completed(command, status, out, errors, time.monotonic() - started)
        if status in (_TIMED_OUT, -signal.SIGKILL) and done.duration_s >= timeout_s:
            raise TimedOutError(done, timeout_s)
        if status == _NOT_FOUND and "No such file or directory" in errors:
            raise not_found(command)
        return done


def _line(command: Command, timeout_s: float) -> str:
    """The command for the account's shell: every word quoted, the environment made anew, the time limited."""
    environment = [f"{name}={value}" for name, value in {**BASE_ENV, **command.env}.items()]
    limit = ["timeout", "--kill-after=2", f"{max(timeout_s, 0.01):.3f}"]
    change = ["--chdir", str(command.cwd)] if command.cwd is not None else []
    return shlex.join(["env", "-i", *change, *environment, *limit, *command.plain()])


def _parts(stdin: bytes | Iterable[bytes] | None) -> Iterable[bytes]:
    """The input in parts: what is not sent yet is copied for each packet."""
    whole = stdin or b""
    return (whole[at : at + CHUNK] for at in range(0, len(whole), CHUNK)) if isinstance(whole, bytes) else whole


def _talk(channel: paramiko.Channel, stdin: Iterable[bytes], deadline: float) -> tuple[bytes, str, int]:
    """Send the input and collect both outputs, all at the same time: each may fill its window."""
    errors, raised = bytearray(), list[OSError | OpsError]()
    threads = [
        threading.Thread(target=_read_errors, args=(channel, errors, raised), daemon=True),
        threading.Thread(target=_write, args=(channel, stdin, raised), daemon=True),
    ]
    for thread in threads:
        thread.start()
    out = bytearray()
    while chunk := channel.recv(CHUNK):
        out += chunk
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if raised:
        raise raised[0]
    return bytes(out), errors.decode(errors="replace"), _status(channel, deadline)


def _read_errors(channel: paramiko.Channel, errors: bytearray, raised: list[OSError | OpsError]) -> None:
    """Keep the last part of what is said as standard error."""
    try:
        while chunk := channel.recv_stderr(CHUNK):
            errors += chunk
            del errors[:-TAIL_BYTES]
    except OSError as error:
        raised.append(error)


def _write(channel: paramiko.Channel, stdin: Iterable[bytes], raised: list[OSError | OpsError]) -> None:
    """Send the input; a program may end without reading all that it is given."""
    try:
        for part in stdin:
            channel.sendall(part)
        channel.shutdown_write()
    except OpsError as error:  # the input itself cannot be had
        raised.append(error)
        channel.close()
    except OSError as error:
        if not channel.eof_received:
            raised.append(error)


def _status(channel: paramiko.Channel, deadline: float) -> int:
    """The exit status; -9 for a signal, which paramiko does not pass on. Raises EOFError when the connection ended."""
    if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
        raise EOFError("it ended without saying how")
    status = channel.recv_exit_status()
    if status >= 0:
        return status
    if not channel.eof_received:
        raise EOFError("the other side is gone")
    return -signal.SIGKILL
