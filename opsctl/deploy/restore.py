"""`deploy restore`: what `opsctl restore` has made of a backup goes live on a new host that took a lost one's place.

The machine with the identities decrypts, checks and replays, and sends the result over SSH: no identity ever comes to a
host. The host's side is agent/restore.py. How long it took until the sites answered is the full-restore time.
"""

import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.ledger import Ledger
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.deploy.desired import database, settings
from opsctl.deploy.desired.sites import visit
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.reach import agent_on, target_of
from opsctl.deploy.records import FULL_RESTORE, VERSION, FullRestoreBody, Who

RESTORES = "restore"
CHUNK = 1 << 18
_BLOCK = 512


@dataclass(frozen=True)
class Restored:
    """A directory that `opsctl restore` has made, and what its record says."""

    directory: Path
    backup: str
    stopped_at: str
    gtid_state: str
    started: datetime
    finished: datetime


def restore_host(
    subject: Subject, directory: Path, ledger: Ledger, who: Who, *, since: datetime | None
) -> FullRestoreBody:
    """Put a restored directory in place on a host that has been deployed and has no data, and record the time.

    Raises SettingsError for a directory that no restore on this machine has made or that lacks what the host shall
    have, and OpsError when the host has data, or when its sites do not answer; then it is as it was.
    """
    began = utcnow()
    found = restored_in(ledger, subject.inventory.stack.name, directory.absolute())
    if since is not None and since > began:
        raise SettingsError("the host is said to have been lost in the future", where="--since")
    parts = parts_of(subject, found.directory)
    order = {
        "who": who.words("restoring it"),
        "sites": {site.name: site.home for site in subject.sites},
        "own": [f"{site.home}/shared/{name}" for site in subject.sites for name in site.files],
        "keys": database.KEY_FILES,
        "gtid_state": found.gtid_state,
        "sql": [settings.ACCOUNTS_SQL] if subject.inventory.opsctl is not None else [],
        "units": [f"{site.name}.service" for site in subject.sites if site.kind == "python"],
        "health": [visit(site) for site in subject.sites],
    }
    target = target_of(subject.inventory, subject.host)
    with agent_on(target, target.user) as agent:
        agent.restore(order, batched(packed(parts)))
    ended = utcnow()
    lost = since or found.started
    body = FullRestoreBody(
        host=subject.host.name,
        backup=found.backup,
        database=found.stopped_at,
        since=lost,
        restore_s=(found.finished - found.started).total_seconds(),
        in_place_s=(ended - began).total_seconds(),
        total_s=(ended - lost).total_seconds(),
        actor=who.actor,
        origin=who.origin,
    )
    ledger.append(
        Record[FullRestoreBody](
            kind=FULL_RESTORE,
            version=VERSION,
            subject=subject.inventory.stack.name,
            started=lost,
            finished=ended,
            outcome=Outcome.PASSED,
            fresh_until=None,
            body=body,
        )
    )
    return body


def restored_in(ledger: Ledger, stack: str, directory: Path) -> Restored:
    """What this machine's ledger says of a restored directory. Raises SettingsError."""
    for entry in reversed(list(ledger.query(RESTORES, stack))):
        record = entry.record()
        said: Mapping[str, Any] = record.body.model_dump()
        if said.get("directory") == str(directory) and record.outcome is Outcome.PASSED:
            backup, stopped_at, gtid_state = (str(said[name]) for name in ("backup", "stopped_at", "gtid_state"))
            return Restored(directory, backup, stopped_at, gtid_state, record.started, record.finished)
    raise SettingsError(
        "no restore on this machine has made this directory",
        where=str(directory),
        hint="opsctl restore --to DIR --latest",
    )


def parts_of(subject: Subject, directory: Path) -> list[tuple[str, Path]]:
    """What goes to the host: names in the archive, and where it lies here. Raises SettingsError for what is not there.

    Of configuration nothing does: the host has what the inventory says, whatever the lost one had.
    """
    parts = [("data", directory / "data")]
    parts += [(f"keys/{Path(path).name}", directory / "keys" / path.lstrip("/")) for path in database.KEY_FILES]
    parts += [(f"sites/{site.name}", directory / "files" / site.home.lstrip("/")) for site in subject.sites]
    for name, path in parts:
        if not path.exists():
            raise SettingsError(
                f"the restored directory has no {name}, which the inventory's host has",
                where=str(path),
                hint="is it another host's backup, or is the site a new one?",
            )
    return parts


def packed(parts: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """A tar file (PAX) of trees under other names, piece by piece; owners are numbers. Raises OpsError."""
    archive = tarfile.open(fileobj=io.BytesIO(), mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - nothing to close
    try:
        for name, top in parts:
            for path, arcname in _walk(top, name):
                yield from _entry(archive, path, arcname)
    except OSError as error:
        raise OpsError(f"what was restored cannot be read: {error.strerror}", where=str(error.filename)) from error
    yield bytes(2 * _BLOCK)


def batched(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces: each is sent by itself."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _walk(top: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield top, name
    for folder, directories, files in os.walk(top, onerror=_raise) if top.is_dir() else ():
        for each in sorted((*directories, *files)):
            path = Path(folder, each)
            yield path, f"{name}/{path.relative_to(top)}"


def _entry(archive: tarfile.TarFile, path: Path, arcname: str) -> Iterator[bytes]:
    archive.inodes.clear()  # type: ignore[attr-defined] # a second name of a file is a file of its own
    info = archive.gettarinfo(path, arcname)
    info.uname = info.gname = ""
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if info.isreg():
        left = info.size
        with path.open("rb") as file:
            while left and (chunk := file.read(min(left, CHUNK))):
                left -= len(chunk)
                yield chunk
        if left:
            raise OpsError("a file became shorter while it was sent", where=str(path))
        yield bytes(-info.size % _BLOCK)


def _raise(error: OSError) -> None:
    raise error
