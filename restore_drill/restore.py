"""Restore a backup, and the binary logs since, into a directory: verified, proved, and whole or not there at all."""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from backup.chain import parents_of
from backup.increments import require_joined
from backup.manifest import Manifest, Part, Phase
from opsctl.core.clock import iso, utcnow
from opsctl.core.errors import LockedError, OpsError, SettingsError
from opsctl.core.failpoints import failpoint
from opsctl.core.locks import lock
from opsctl.core.process import command, run
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.room import needing_room
from opsctl.core.store.directory import sync_directory
from restore_drill.context import DrillHost
from restore_drill.delivery import deliver
from restore_drill.directories import settle
from restore_drill.fetch import may_give_owners
from restore_drill.point import Target, parse_target, pick_backup
from restore_drill.replay import Replayed
from restore_drill.restored import Attempt, Restored, Value
from restore_drill.steps import open_all, prepare_database, replay_logs, resolved_database, serving
from restore_drill.trust import HeadMemory, check_head
from restore_drill.workspace import remove_dead, workspace

KIND = "restore"
VERSION = 1
PREFIX = ".opsctl-restore-"
SYNC_TIMEOUT_S = 3600.0


class RestoreReport(Part):
    """What a restore brought back, and how long each phase took. Times are UTC.

    `backup_finished` is the moment of the files; `stopped_at` says the point of the database in words.
    `last_transaction_time` and `heartbeat` are None when no binary log was replayed, or it has none.
    """

    backup: str
    backup_finished: datetime
    directory: str
    stopped_at: str
    gtid_state: str
    transactions: int
    segments: int
    last_transaction_time: datetime | None
    heartbeat: datetime | None
    phases: tuple[Phase, ...]
    warnings: tuple[str, ...]


def restore(
    host: DrillHost,
    to: Path,
    *,
    backup_id: str | None = None,
    at: datetime | None = None,
    gtid: str | None = None,
    latest: bool = False,
) -> RestoreReport:
    """Restore into the directory `to`, which must be empty or absent: `data` (the datadir), `files`, `keys` (of the
    database), `state`, `my.cnf`, and START.txt with the commands to go on with.

    The database is brought to a time (`at`, UTC), to right after a transaction (`gtid`), or as far as was shipped
    (`latest`); else it stays at the backup: the named one, or the newest before the point. Everything is built in a
    hidden directory beside `to` and appears there in one step. Raises SettingsError, AuthError, IntegrityError (also
    for a repository that was rolled back), TargetError when the logs do not reach the point, OpsError.
    """
    started = utcnow()
    to = to.absolute()
    target = parse_target(at=at, gtid=gtid, latest=latest)
    remove_dead(to.parent, prefix=PREFIX)
    require_empty(to)
    memory = HeadMemory(host.machine.state_dir, host.stack, host.repository)
    phases = Phases()
    with _announced(host, to), needing_room(to.parent), workspace(to.parent, prefix=PREFIX) as paths:
        catalog = host.catalog
        with phases.measured("trust"):
            head = check_head(catalog, memory.recall(), host.repository)
            manifest = pick_backup(catalog, target, backup_id)
            require_joined(manifest)
        restored = Restored(host, catalog, manifest, paths, parents=parents_of(catalog, manifest)[:-1])
        replayed = _rebuild(restored, target, phases)
        with phases.measured("deliver"):
            manifest = manifest.model_copy(update={"database": resolved_database(restored)})
            result = deliver(paths, manifest, take(restored.prepared).geometry, to, replayed)
            run(command("sync", "--file-system", result), timeout_s=SYNC_TIMEOUT_S)
            failpoint("restore.before_rename")
            put(result, to)
            failpoint("restore.after_rename")
            sync_directory(to.parent)
    if head is not None:
        memory.remember(head)
    report = _report(manifest, to, replayed, phases)
    host.ledger.append(
        Record(
            kind=KIND, version=VERSION, subject=host.stack, started=started, finished=utcnow(), outcome=Outcome.PASSED,
            fresh_until=None, body=report,
        )
    )  # fmt: skip
    return report


@contextmanager
def _announced(host: DrillHost, to: Path) -> Iterator[None]:
    """Hold a lock that tells health to keep its hands off. Raises LockedError for a second restore to the same place.

    Whoever may not take it restarts nothing on this machine either; a restore does not fail for want of it.
    """
    name = f"restore-{host.stack}-{hashlib.sha256(bytes(to)).hexdigest()[:8]}"
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(host.machine.lock_dir, name, doing=f"restore to {to}"))
        except LockedError:
            raise
        except OpsError:
            yield
            return
        yield


def require_empty(to: Path) -> None:
    """Refuse a target that holds anything, is no directory, or could not appear in one step. Raises SettingsError."""
    if not to.parent.is_dir():
        raise SettingsError("there is no directory to make the target in", where=str(to.parent), hint="make it first")
    if not os.path.lexists(to):
        return
    if to.is_symlink() or not to.is_dir():
        raise SettingsError("the target is no directory", where=str(to), hint="name one that is empty or absent")
    if os.path.ismount(to):
        raise SettingsError("the target is a mount point", where=str(to), hint=f"use a directory in it: {to}/restored")
    if any(to.iterdir()):
        raise SettingsError("the target is not empty", where=str(to), hint="name one that is empty or absent")


def put(result: Path, to: Path) -> None:
    """Let the result appear. Raises SettingsError when somebody else has put something there meanwhile."""
    try:
        result.rename(to)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise SettingsError("the target is not empty any more", where=str(to), hint="name another one") from error
        raise


class Phases:
    """The duration of each phase, in order."""

    def __init__(self) -> None:
        self.done: list[Phase] = []

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Measure the block."""
        began = time.monotonic()
        yield
        self.done.append(Phase(name=name, duration_s=round(time.monotonic() - began, 3)))


def take(step: Attempt[Value] | None) -> Value:
    """The value of a step that a restore cannot do without; raises the very error with which it failed."""
    if step is not None and step.value is not None:
        return step.value
    raise step.error if step is not None and step.error is not None else OpsError("a step was not run")


def _rebuild(restored: Restored, target: Target | None, phases: Phases) -> Replayed | None:
    """Open, prepare, start, replay, and shut down cleanly."""
    with phases.measured("open"):
        for opened in open_all(restored, exact=True).values():
            take(opened)
        settle(restored.paths.tree, sorted(restored.paths.lists.iterdir()))
    with phases.measured("prepare"):
        take(prepare_database(restored))
    began = time.monotonic()
    with serving(restored) as serves:
        server = take(serves)
        phases.done.append(Phase(name="start", duration_s=round(time.monotonic() - began, 3)))
        replayed = None
        if target is not None:
            with phases.measured("replay"):
                replayed = take(replay_logs(restored, target))
        with phases.measured("stop"):
            server.stop(drop_admin=True)
    return replayed


def _report(manifest: Manifest, to: Path, replayed: Replayed | None, phases: Phases) -> RestoreReport:
    warnings = () if may_give_owners() else ("the files belong to you: only root can give them their owners back",)
    return RestoreReport(
        backup=manifest.id,
        backup_finished=manifest.finished,
        directory=str(to),
        stopped_at=replayed.stop_description if replayed else f"the backup itself, {iso(manifest.finished)}",
        gtid_state=replayed.gtid_state if replayed else manifest.database.gtid_state,
        transactions=replayed.transactions if replayed else 0,
        segments=replayed.segments if replayed else 0,
        last_transaction_time=replayed.last_transaction_time if replayed else None,
        heartbeat=replayed.heartbeat if replayed else None,
        phases=tuple(phases.done),
        warnings=(*(replayed.warnings if replayed else ()), *warnings),
    )
