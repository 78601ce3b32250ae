"""The steps of a restore, one by one, on a `Restored` that keeps what each came to: a drill goes on after one that
failed, a restore stops there."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from backup.codec import Sealed
from backup.manifest import Artefact, Database
from opsctl.core.errors import OpsError
from opsctl.core.room import full, needing_room, says_full
from opsctl.stack.rooted import resolve as follow_links
from restore_drill.fetch import open_artefact
from restore_drill.logs import open_logs
from restore_drill.options import datadir_words
from restore_drill.point import AtGtid, Target, resolve
from restore_drill.prepare import Prepared, prepare, verify_copy
from restore_drill.replay import Replayed, replay
from restore_drill.restored import Attempt, CouldNotRunError, Restored, Value, attempt, needed
from restore_drill.scratch import KEYS, ScratchServer, ServerPlace


def open_all(restored: Restored, *, exact: bool = False) -> dict[str, Attempt[Sealed]]:
    """Open every archive of the backup into the scratch directory, in order: what is to be deleted before what is
    unpacked after it, and keys after all files, among which an older one of the same name may be. `exact`: see
    `open_artefact`.
    """
    for name, artefact in restored.archives.items():
        restored.host.progress.step(f"opening {name}", total_bytes=artefact.sealed.cipher_size)
        restored.opened[name] = _attempt(restored, partial(_open, restored, artefact, exact))
    return restored.opened


def prepare_database(restored: Restored) -> Attempt[Prepared]:
    """Prepare the opened databases: the full one, and onto it the incremental ones in their order."""
    restored.host.progress.step("preparing the database")
    restored.prepared = _attempt(restored, partial(_prepare, restored))
    return restored.prepared


@contextlib.contextmanager
def serving(restored: Restored) -> Iterator[Attempt[ScratchServer]]:
    """Run the scratch server on the prepared database while the block runs; it is killed at the end of it.

    The block runs even when the server does not: see the attempt.
    """
    restored.host.progress.step("starting the scratch server")
    restored.server = _attempt(restored, partial(_start, restored))
    try:
        yield restored.server
    finally:
        if restored.server.value is not None:
            restored.server.value.kill()


def replay_logs(restored: Restored, target: Target) -> Attempt[Replayed]:
    """Open, verify and apply the binary logs between the backup and the target."""
    restored.replayed = _attempt(restored, partial(_replay, restored, target))
    return restored.replayed


def resolved_database(restored: Restored) -> Database:
    """What the manifest says of the database, with the real paths of its key files.

    The keys archive holds them under those; the links that the server's options may name are among the other files.
    """
    database = restored.manifest.database
    names = {"key_file": database.key_file, "filekey_file": database.filekey_file}
    real = {
        field: str(follow_links(restored.paths.tree, Path(name))[1])
        for field, name in names.items()
        if name is not None and name.startswith("/")
    }
    return database.model_copy(update=real)


def _attempt(restored: Restored, step: Callable[[], Value]) -> Attempt[Value]:
    """Run a step; when the scratch disk was full, that is the error, and not what came of it."""
    return attempt(partial(_with_room, restored.paths.root.parent, step))


def _with_room(place: Path, step: Callable[[], Value]) -> Value:
    try:
        with needing_room(place):
            return step()
    except OpsError as error:
        if says_full(error.message):
            raise full(place, error.message) from error
        raise


def _open(restored: Restored, artefact: Artefact, exact: bool) -> Sealed:
    steps = (step for step, manifest in restored.steps if artefact in manifest.artefacts)
    timeout_s = restored.remaining_s()
    return open_artefact(restored.host, artefact, restored.paths, step=next(steps), exact=exact, timeout_s=timeout_s)


def _prepare(restored: Restored) -> Prepared:
    if restored.chain_error is not None:
        raise CouldNotRunError(f"what the backup stands on is not known: {restored.chain_error.message}")
    for name, artefact in restored.archives.items():
        if artefact.kind in ("database", "keys"):
            restored.opened[name].need()
    for step, manifest in restored.steps:
        verify_copy(restored.paths.database(step), manifest)
    return prepare(
        restored.paths.data,
        restored.paths.keys,
        resolved_database(restored),
        incrementals=[restored.paths.database(step) for step, _ in restored.steps if step],
        memory_mb=restored.host.drill.buffer_pool_mb,
        timeout_s=restored.remaining_s(),
    )


def _start(restored: Restored) -> ScratchServer:
    geometry = needed(restored.prepared).geometry
    paths = restored.paths
    server = ScratchServer(
        ServerPlace(paths.data, paths.run, paths.keys, paths.logs),
        datadir_words(resolved_database(restored), geometry, KEYS),
        buffer_pool_mb=restored.host.drill.buffer_pool_mb,
        server_id=secrets.randbelow(2**32 - 1) + 1,
    )
    return server.start()


def _replay(restored: Restored, target: Target) -> Replayed:
    server = needed(restored.server)
    progress = restored.host.progress
    progress.step("opening binary logs")
    logs = open_logs(
        restored.host,
        restored.catalog,
        restored.manifest,
        restored.paths.logs,
        until=target.gtid if isinstance(target, AtGtid) else None,
        timeout_s=restored.remaining_s(),
    )
    point = resolve(target, logs)
    size = sum(file.scan.size for file in logs.files[: point.number + 1])
    progress.step(f"replaying {point.transactions} transactions", total_bytes=size)
    return replay(
        server,
        logs,
        point,
        timeout_s=restored.remaining_s(),
        advance=progress.advance,
        server_id=restored.host.replay_server_id,
    )
