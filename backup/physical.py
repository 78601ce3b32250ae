"""The physical backup: mariadb-backup's stream, and the proof that it is whole.

It is whole only if the program ended well and says so in its last line, its stream ends where its last file does, the
files that describe it are in the stream, and every table of the inventory has its files.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from backup.context import Host
from backup.mbstream import StreamContent, StreamError, StreamWatch
from opsctl.core.errors import AuthError, OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.privileges import grant_hint
from opsctl.core.process import Command, CommandFailedError, Completed, client_options, command, run

VERSION = re.compile(r"(\d+)\.(\d+)\.\d+")
VERSION_TIMEOUT_S = 30.0
_NOT_LOCKED = re.compile(r"failed to execute query BACKUP LOCK (.*?`.*?): ")
COMPLETED = "completed OK!"
# By the names of 10.11, and those since 11.1.
CHECKPOINTS = ("xtrabackup_checkpoints", "mariadb_backup_checkpoints")
INFO = ("xtrabackup_info", "mariadb_backup_info")
BINLOG_INFO = ("xtrabackup_binlog_info", "mariadb_backup_binlog_info")
_LOCKED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) Acquired locks for BACKUP STAGE BLOCK_COMMIT")
_KEEP = frozenset({*CHECKPOINTS, *INFO, *BINLOG_INFO, ".ren"})
# Each table is an open file; the kernel's usual limit of 1024 is soon reached.
_OPEN_FILES = 65535
# How often it looks for new redo log. Its default of a second is a second in which commits wait at the end.
_LOG_COPY_MS = 100


@dataclass(frozen=True)
class Physical:
    """What a whole stream says of itself: LSNs, the tool's version, the binary log's file, position and GTID, and the
    second (UTC) in which definitions of tables were held fast."""

    content: StreamContent
    tool_version: str
    from_lsn: str
    to_lsn: str
    last_lsn: str
    binlog_file: str | None
    binlog_position: int | None
    gtid_position: str
    locked_at: datetime


def backup_command(
    options: str, descriptor: int, *, parallel: int, lsn_dir: Path, target: Path, base: Path | None = None
) -> Command:
    """Build mariadb-backup's words; `options` is the option file with the login, inherited as `descriptor`.

    It is the only option file read: everything else the program asks the server. `base` is the directory with the LSNs
    of the backup that an incremental one is made on; a restore reads its name out of the stream.
    """
    backup = command(
        "mariadb-backup",
        options.replace("--defaults-extra-file=", "--defaults-file="),
        "--backup",
        "--stream=mbstream",
        f"--parallel={parallel}",
        f"--open-files-limit={_OPEN_FILES}",
        f"--log-copy-interval={_LOG_COPY_MS}",
        f"--extra-lsndir={lsn_dir}",
        f"--target-dir={target}",
        *(() if base is None else (f"--incremental-basedir={base}",)),
    )
    return replace(backup, pass_fds=(descriptor,))


@contextmanager
def producing(host: Host, password: SecretStr | None, lsn_dir: Path, base: Path | None) -> Iterator[Command]:
    """The command that streams the backup while the block runs; it leaves its LSNs in `lsn_dir`, made here.

    With `base`, the LSNs of another backup, it streams what changed since.
    """
    lsn_dir.mkdir(mode=0o700, parents=True)
    failpoint("backup.after_lsn_dir")
    database = host.database
    with client_options(user=database.backup_user, password=password, socket=database.socket) as (options, descriptor):
        # The target only names a place: a stream writes nothing there.
        yield backup_command(
            options, descriptor, parallel=host.backup.parallel, lsn_dir=lsn_dir, target=lsn_dir, base=base
        )


def watch() -> StreamWatch:
    """An observer for the stream, which keeps what `confirm_whole` needs."""
    return StreamWatch(_KEEP)


def confirm_whole(done: Completed, watched: StreamWatch, lsn_dir: Path, *, binlog: bool) -> Physical:
    """What the backup says of itself, once it is certain that it is whole. Raises StreamError.

    `binlog` is whether the server writes a binary log, so that a position has to be in the stream.
    """
    if not done.stderr.rstrip().endswith(COMPLETED):
        raise StreamError(f"{done.command.program} did not say '{COMPLETED}': its backup is not whole")
    content = watched.finish()
    checkpoints, info = (_read_pairs(_kept(content, names)) for names in (CHECKPOINTS, INFO))
    for names in (CHECKPOINTS, INFO):
        if not any((lsn_dir / name).is_file() for name in names):
            raise StreamError(f"{done.command.program} wrote no {names[0]}: its backup is not whole")
    try:
        file, position, gtid = _binlog_position(content) if binlog else (None, None, "")
        return Physical(
            content=content,
            tool_version=info["tool_version"],
            from_lsn=checkpoints["from_lsn"],
            to_lsn=checkpoints["to_lsn"],
            last_lsn=checkpoints["last_lsn"],
            binlog_file=file,
            binlog_position=position,
            gtid_position=gtid,
            locked_at=_locked_at(done.stderr, info),
        )
    except (KeyError, ValueError) as error:
        raise StreamError(f"the database stream describes itself incompletely: {error}") from error


def read_lsns(lsn_dir: Path) -> dict[str, str]:
    """What the tool left of a backup's LSNs; nothing when nothing can be read."""
    for name in CHECKPOINTS:
        with suppress(OSError):
            return _read_pairs((lsn_dir / name).read_text(errors="replace"))
    return {}


def installed_version() -> str:
    """The version of the mariadb-backup that is installed, such as 10.11.19. Raises CommandFailedError, OpsError."""
    ours = run(command("mariadb-backup", "--version"), timeout_s=VERSION_TIMEOUT_S, check=False)
    found = VERSION.search(ours.text() + ours.stderr)
    if found is None:
        raise OpsError("the version of mariadb-backup cannot be told", where=ours.command.masked())
    return found[0]


def _kept(content: StreamContent, names: tuple[str, ...]) -> str:
    for name in names:
        if name in content.kept:
            return content.kept[name].decode(errors="replace")
    raise StreamError(f"the database stream has no {names[0]}: its backup is not whole")


def _locked_at(said: str, info: Mapping[str, str]) -> datetime:
    """When it took its last lock, by its log, or when it began, by its info; it runs in UTC. Raises KeyError."""
    found = _LOCKED.search(said)
    return datetime.strptime(found.group(1) if found else info["start_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _read_pairs(text: str) -> dict[str, str]:
    return {
        key.strip(): value.strip()
        for key, equals, value in (line.partition("=") for line in text.splitlines())
        if equals
    }


def _binlog_position(content: StreamContent) -> tuple[str, int, str]:
    file, position, *gtid = _kept(content, BINLOG_INFO).rstrip("\n").split("\t")
    return file, int(position), gtid[0] if gtid else ""


@contextmanager
def explained(host: Host) -> Iterator[None]:
    """Turn a refusal by the server, which the program only prints, into an error that says what to do."""
    try:
        yield
    except CommandFailedError as error:
        if (
            error.completed.command.program in ("mariadb-backup", "setpriv")
            and "Access denied" in error.completed.stderr
        ):
            raise _refused(host, error) from error
        if unlockable := _NOT_LOCKED.search(error.completed.stderr):
            raise OpsError(
                f"mariadb-backup cannot lock the table {unlockable[1]}: it does not quote backticks in names",
                where=str(host.database.socket),
                hint="rename it: RENAME TABLE …; or let it be of InnoDB, which is not locked: ALTER TABLE … "
                "ENGINE=InnoDB",
            ) from error
        raise


def _refused(host: Host, error: CommandFailedError) -> OpsError:
    said = next(line for line in error.completed.stderr.splitlines() if "Access denied" in line)
    return AuthError(
        f"the server refuses {host.database.backup_user}: {said.strip()}",
        where=str(host.database.socket),
        hint=grant_hint(said, host.database.backup_user),
    )
