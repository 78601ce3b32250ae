"""Make a datadir out of what mariadb-backup copied: `mariadb-backup --prepare`, in the sandbox.

Its options are ours and the restored keys the only ones in sight: the restored backup-my.cnf, which mariadb-backup
insists on reading, is read for the geometry of InnoDB's files and then replaced.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from backup.manifest import Database, Manifest
from backup.physical import VERSION, installed_version
from opsctl.core.errors import AuthError, IntegrityError, OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.process import Command, CommandFailedError, command, run
from opsctl.core.sandbox import Mount, give_to_sandbox, sandbox_owner, sandboxed
from restore_drill.hostile import new_file, read_small
from restore_drill.options import PLAIN, PLUGIN_DIR, Geometry, encryption_words, option_file, parse_geometry
from restore_drill.scratch import KEYS

OPTIONS = "backup-my.cnf"
COMPLETED = "completed OK!"

# What the tool says of a redo log or tables that it cannot decrypt. With a wrong key it takes the log for a broken one;
# but its hash was verified, so it is what was backed up.
_UNDECRYPTABLE = ("encryption key", "Encryption key", "Log scan aborted", "FILE_CHECKPOINT", "decrypt")

# From MariaDB 11.1 the tool writes mariadb_backup_*.
_PREFIXES = ("xtrabackup", "mariadb_backup")
_CHAIN = Path("/restored/chain")
_FULL = "data"
_BASE = re.compile(r"^tool_command = .*--incremental-basedir=(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Prepared:
    """What a prepared backup says of itself: LSNs as decimal strings; `gtid` as the tool wrote it, which leaves out
    domains last written by another server. `binlog_file` and `binlog_position` are None without a binary log.
    `geometry`: how the server has to be started on it."""

    from_lsn: str
    to_lsn: str
    last_lsn: str
    binlog_file: str | None
    binlog_position: int | None
    gtid: str
    geometry: Geometry = PLAIN


@dataclass(frozen=True)
class Checkpoints:
    """The file xtrabackup_checkpoints: LSNs as decimal strings."""

    backup_type: str
    from_lsn: str
    to_lsn: str
    last_lsn: str


def prepare(
    data: Path,
    keys: Path,
    database: Database,
    *,
    incrementals: Sequence[Path] = (),
    memory_mb: int,
    timeout_s: float,
) -> Prepared:
    """Prepare the full backup in `data` and apply the incrementals' directories in their order; `database` is what the
    manifest says of the last of them. `keys` is the opened keys archive.

    Everything is changed in place, even when it fails. Raises IntegrityError when the copies do not join up or are not
    what the manifest says, AuthError when the restored keys do not open them, CommandFailedError.
    """
    _require_tool(database)
    failpoint("restore.before_prepare")
    geometry = parse_geometry(read_small(data / OPTIONS))
    last = _verify_chain([read_checkpoints(directory) for directory in (data, *incrementals)], database)
    with new_file(data / OPTIONS) as file:
        words = [f"--plugin-dir={PLUGIN_DIR}", *geometry.words(), *encryption_words(database, geometry, KEYS)]
        file.write(option_file("mysqld", words).encode())
    give_to_sandbox(data)
    with _gathered(data, incrementals) as chain:
        mounts = (Mount(chain, _CHAIN, writable=True), Mount(keys, KEYS))
        for step in range(len(incrementals) + 1):
            cmd = prepare_command(memory_mb, step)
            _apply(cmd, mounts, timeout_s, encrypted=database.encrypted)
    return _prepared(data, last, database, geometry)


def prepare_command(memory_mb: int, step: int = 0) -> Command:
    """Build the words of one step, with paths as the sandbox shows them: 0 prepares the full backup, 1 applies the
    first incremental one, and so on."""
    return command(
        "mariadb-backup",
        f"--defaults-file={_CHAIN / _FULL / OPTIONS}",
        "--prepare",
        f"--target-dir={_CHAIN / _FULL}",
        f"--use-memory={memory_mb}M",
        *((f"--incremental-dir={_CHAIN / str(step)}",) if step else ()),
    )


@contextlib.contextmanager
def _gathered(data: Path, incrementals: Sequence[Path]) -> Iterator[Path]:
    """Put all directories below one while the block runs: the tool renames files from one to the other, which the
    kernel refuses between two mounts."""
    chain = data.parent / "chain"
    chain.mkdir(mode=0o700)
    os.chown(chain, *sandbox_owner())
    places = {data: chain / _FULL} | {path: chain / str(step) for step, path in enumerate(incrementals, start=1)}
    for path, place in places.items():
        path.rename(place)
    try:
        yield chain
    finally:
        for path, place in places.items():
            place.rename(path)
        chain.rmdir()


def verify_copy(directory: Path, manifest: Manifest) -> None:
    """Hold what mariadb-backup wrote against the manifest: its LSNs, and of an incremental copy the parent.

    The tool notes the words that it was called with, and with them the directory, named after the parent's id, from
    which it took its first LSN. On an idle database nothing else tells a parent from its own parent.
    Raises IntegrityError.
    """
    _verify_lsns(read_checkpoints(directory), manifest.database)
    if manifest.kind == "full":
        return
    found = _BASE.search(_read_info(directory, "info"))
    if found is None or Path(found[1]).name != manifest.parent:
        made_on = f"on {Path(found[1]).name}" if found else "as a full one"
        raise IntegrityError(
            f"the database of backup {manifest.id} was copied {made_on}, its manifest says on {manifest.parent}"
        )


def read_checkpoints(directory: Path) -> Checkpoints:
    """Read a backup's checkpoints file. Raises IntegrityError when it is not there or says too little."""
    lines = (line.partition("=") for line in _read_info(directory, "checkpoints").splitlines())
    found = {name.strip(): value.strip() for name, _, value in lines}
    try:
        return Checkpoints(found["backup_type"], found["from_lsn"], found["to_lsn"], found["last_lsn"])
    except KeyError as error:
        raise IntegrityError(f"the checkpoints file has no {error.args[0]}", where=str(directory)) from error


def read_binlog_info(directory: Path) -> tuple[str | None, int | None, str]:
    """Read file, position (bytes) and GTID of a backup's binlog info: `file TAB position TAB gtid`.

    None, None and "" when there is none, as of a server without a binary log.
    """
    try:
        parts = _read_info(directory, "binlog_info").strip().split("\t")
    except IntegrityError:
        return None, None, ""
    if len(parts) < 2 or not parts[1].isdecimal():
        raise IntegrityError("the binlog info of the backup is not of its form", where=str(directory))
    return parts[0], int(parts[1]), parts[2] if len(parts) > 2 else ""


def _read_info(directory: Path, name: str) -> str:
    for prefix in _PREFIXES:
        if os.path.lexists(directory / f"{prefix}_{name}"):
            return read_small(directory / f"{prefix}_{name}")
    return read_small(directory / f"{_PREFIXES[0]}_{name}")


def _require_tool(database: Database) -> None:
    """An older mariadb-backup does not prepare a newer one's copy, and says so in riddles."""
    here, there = VERSION.search(installed_version()), VERSION.search(database.tool_version)
    if here is None or there is None:
        raise IntegrityError(f"the manifest names no version of mariadb-backup: '{database.tool_version}'")
    if (int(here[1]), int(here[2])) < (int(there[1]), int(there[2])):
        raise OpsError(
            f"the backup was made by mariadb-backup {there[0]}; {here[0]} is here, which is too old to prepare it",
            hint=f"install MariaDB {there[1]}.{there[2]} or later on this machine",
        )


def _verify_chain(chain: Sequence[Checkpoints], database: Database) -> Checkpoints:
    first, last = chain[0], chain[-1]
    if first.backup_type not in ("full-backuped", "log-applied"):
        raise IntegrityError(f"the first backup is no full one but '{first.backup_type}'")
    _verify_lsns(last, database)
    for before, after in pairwise(chain):
        if after.from_lsn != before.to_lsn:
            raise IntegrityError(f"an incremental backup begins at LSN {after.from_lsn}, not at {before.to_lsn}")
    return last


def _verify_lsns(found: Checkpoints, database: Database) -> None:
    for name in ("from_lsn", "to_lsn", "last_lsn"):
        expected, said = getattr(database, name), getattr(found, name)
        if expected != said:
            raise IntegrityError(f"the backup says {name} = {said}, its manifest {expected}")


def _apply(cmd: Command, mounts: Sequence[Mount], timeout_s: float, *, encrypted: bool) -> None:
    try:
        done = run(sandboxed(cmd, mounts), timeout_s=timeout_s)
    except CommandFailedError as error:
        if encrypted and any(words in error.completed.stderr for words in _UNDECRYPTABLE):
            raise AuthError(
                f"the restored key file does not open the database: {error.message}",
                hint="compare the key file in the keys archive with the server's",
            ) from error
        raise
    lines = done.stderr.strip().splitlines()
    if not lines or not lines[-1].endswith(COMPLETED):
        raise CommandFailedError(done, f"ended without '{COMPLETED}'")


def _prepared(data: Path, last: Checkpoints, database: Database, geometry: Geometry) -> Prepared:
    after = read_checkpoints(data)
    if (after.backup_type, after.to_lsn) != ("log-applied", last.to_lsn):
        raise IntegrityError(f"after prepare the backup is '{after.backup_type}' up to LSN {after.to_lsn}")
    binlog_file, position, gtid = read_binlog_info(data)
    if (binlog_file, position, gtid) != (database.binlog_file, database.binlog_position, database.gtid_position):
        raise IntegrityError(
            f"the backup says its binary log position is {binlog_file}:{position} {gtid}, its manifest says"
            f" {database.binlog_file}:{database.binlog_position} {database.gtid_position}"
        )
    return Prepared(last.from_lsn, last.to_lsn, last.last_lsn, binlog_file, position, gtid, geometry)
