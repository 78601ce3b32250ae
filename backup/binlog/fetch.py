"""Fetch binary logs from the running server, decrypted, as they were written."""

import re
from collections.abc import Sequence
from pathlib import Path

from backup.binlog.account import lacks, refused
from opsctl.core.errors import ExitCode, IntegrityError, OpsError, SettingsError, UnreachableError
from opsctl.core.mariadb.connect import read_password
from opsctl.core.process import Command, CommandFailedError, client_options, command, run
from opsctl.core.room import full, says_full
from opsctl.stack.settings import DatabaseSection

_MISSING_PRIVILEGE = re.compile(r"Access denied; you need \(at least one of\) the (.+?) privilege")
_DENIED = re.compile(r"Access denied for user.*")
_NO_FILE = "Could not find first log file name"
_NO_LOG = "Binary log is not open"
_DAMAGED = (
    *("truncated in the middle of event", "did not pass crc check", "bogus data in log event"),
    *("event decryption failure", "I/O error reading log event"),
)
_NO_SERVER = ("Can't connect", "Lost connection", "Too many connections", "Server shutdown in progress")
_LOOK = "is it running? run: opsctl doctor"
_HUNG = "is it hung? see its error log and SHOW PROCESSLIST; binlog.timeout_s is the limit"


class DamagedBinlogError(IntegrityError):
    """The server itself cannot read a binary log to its end: it was cut by a crash, changed, or lost its key."""


class BinlogGoneError(OpsError):
    """The server no longer has a binary log that it listed: it was purged meanwhile."""

    exit_code = ExitCode.INTEGRITY


def fetch_command(options: str, descriptor: int, names: Sequence[str], directory: Path) -> Command:
    """Build mariadb-binlog's words; `options` is the option file with the login, inherited as `descriptor`.

    It is the only option file read: what a host keeps for its interactive clients is not for this.
    """
    only = options.replace("--defaults-extra-file=", "--defaults-file=")
    words = ("--read-from-remote-server", "--raw", f"--result-file={directory}/")
    fetch = command("mariadb-binlog", only, *words, "--", *names)
    return fetch.prefixed((), pass_fds=(descriptor,))


def fetch_raw(database: DatabaseSection, names: Sequence[str], directory: Path, *, timeout_s: float) -> list[Path]:
    """Fetch the named binary logs into `directory`, as `database.ship_user`; return their paths, in the same order.

    A file arrives with the size and offsets it has on the server, without its encryption and without the in-use mark;
    the newest, which the server is writing, arrives as far as it was written. The directory is the caller's: see
    `private_space`. Raises AuthError, UnreachableError (also after `timeout_s` seconds), BinlogGoneError,
    DamagedBinlogError, DiskFullError, SettingsError (no binary log), CommandFailedError.
    """
    password = read_password(database.ship_password_file, database.ship_user)
    with client_options(user=database.ship_user, password=password, socket=database.socket) as (
        options,
        descriptor,
    ):
        try:
            run(fetch_command(options, descriptor, names, directory), timeout_s=timeout_s)
        except CommandFailedError as error:
            if says_full(error.message):
                raise full(directory.parent, f"{', '.join(names)} cannot be fetched into it") from error
            raise _explain(error, database, names, timeout_s) from error
    return [directory / name for name in names]


def _explain(error: CommandFailedError, database: DatabaseSection, names: Sequence[str], timeout_s: float) -> OpsError:
    done, where, files = error.completed, str(database.socket), ", ".join(names)
    said = done.stderr.strip().removeprefix("ERROR: ")
    explained: OpsError = error
    if found := _MISSING_PRIVILEGE.search(said):
        explained = lacks(database, found.group(1), said)
    elif found := _DENIED.search(said):
        explained = refused(database, found.group())
    elif _NO_FILE in said:
        explained = BinlogGoneError(f"the server no longer has all of {files}", where=where)
    elif _NO_LOG in said:
        explained = no_binary_log(database)
    elif any(words in said for words in _DAMAGED):
        explained = DamagedBinlogError(f"the server cannot read {files} to its end: {said}", where=where)
    elif any(words in said for words in _NO_SERVER):
        explained = UnreachableError(f"the database server cannot be reached: {said}", where=where, hint=_LOOK)
    elif done.status < 0 and done.duration_s >= timeout_s:
        explained = UnreachableError(f"no {files} from the server within {timeout_s:g} s", where=where, hint=_HUNG)
    return explained


def no_binary_log(database: DatabaseSection) -> SettingsError:
    """The error for a server that writes no binary log."""
    return SettingsError(
        "the database server writes no binary log, so nothing after a backup could be restored",
        where=str(database.socket),
        hint="set log_bin=<name> and server_id=<number> below [mariadbd] in its configuration, restart it, and take a "
        "full backup: opsctl backup run",
    )
