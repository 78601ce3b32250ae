"""One binary log: fetched, verified, sealed, read back, and put on record."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup import layout
from backup.binlog.fetch import DamagedBinlogError, fetch_raw
from backup.binlog.ids import id_at, moment_after
from backup.binlog.lineage import ARCHIVE, RECORD, End
from backup.binlog.session import BinlogFile
from backup.codec import Sealed, read_back, seal
from backup.context import Host
from backup.documents import publish
from backup.segment import NO_RECORD, Segment
from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.binlog import FileScan, scan
from opsctl.core.mariadb.binlog_events import BinlogError, Events
from opsctl.core.pipeline import Source
from opsctl.core.signing import Namespace

Remaining = Callable[[], float]
"""Seconds left for a shipment; raises OpsError when its time is over."""


@dataclass(frozen=True)
class Fetched:
    """A fetched file and what a scan of it says; `checksummed`: whether its events carry checksums."""

    path: Path
    scan: FileScan
    checksummed: bool


@dataclass(frozen=True)
class Place:
    """Where a segment goes: server, lineage, why the lineage began, and the end of the lineage so far."""

    server: str
    lineage: str
    reason: str
    before: End | None


def fetch_verified(host: Host, file: BinlogFile, directory: Path, remaining: Remaining) -> Fetched:
    """Fetch a closed binary log into `directory` and verify its size, its structure and every checksum in it.

    Raises DamagedBinlogError when it is not whole on the server, and what `fetch_raw` raises.
    """
    (path,) = fetch_raw(host.database, [file.name], directory, timeout_s=remaining())
    failpoint("ship.fetched")
    size = path.stat().st_size
    if size != file.size:
        raise DamagedBinlogError(f"{file.name} has {file.size} bytes on the server, and {size} of them can be read")
    try:
        found = scan(path)
        with Events(path) as events:
            checksummed = events.format.checksummed
    except BinlogError as error:
        raise DamagedBinlogError(f"{file.name} is damaged at offset {error.offset}: {error.message}") from error
    if found.incidents:
        lost = found.incidents[0]
        raise DamagedBinlogError(f"the server lost events at offset {lost.offset} of {file.name}: {lost.message}")
    return Fetched(path, found, checksummed)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_segment(host: Host, fetched: Fetched, place: Place, heartbeat: datetime | None, remaining: Remaining) -> End:
    """Encrypt a fetched file into the store, read it back, and publish its signed record: then it is a segment.

    Raises what the codec, the store and the signer raise; an archive without a record is invisible.
    """
    name = fetched.path.name
    stem = f"{layout.lineage(host.stack.name, place.server, place.lineage)}{name}.{id_at(moment_after(None))}"
    sealed = _seal_archive(host, fetched.path, f"{stem}{ARCHIVE}", remaining)
    if sealed.plain_size != fetched.scan.size:
        raise IntegrityError(f"{name} changed while it was sealed", where=str(fetched.path))
    before = place.before.segment if place.before else None
    segment = Segment(
        stack=host.stack.name,
        server=place.server,
        lineage=place.lineage,
        lineage_reason=place.reason,
        number=before.number + 1 if before else 1,
        name=name,
        key=f"{stem}{ARCHIVE}",
        sealed=sealed,
        server_version=fetched.scan.server_version,
        first_state=str(fetched.scan.first_state),
        last_state=str(fetched.scan.last_state),
        end_position=fetched.scan.end_position,
        transactions=fetched.scan.transactions,
        first_time=fetched.scan.first_time,
        last_time=fetched.scan.last_time,
        heartbeat=heartbeat,
        heartbeat_before=(before.heartbeat or before.heartbeat_before) if before else None,
        sealed_at=utcnow(),
        previous=place.before.record_sha256 if place.before else NO_RECORD,
    )
    data = publish(host.store, host.signer, Namespace.SEGMENT, f"{stem}{RECORD}", segment)
    return End(segment, sha256_hex(data))


def _seal_archive(host: Host, path: Path, key: str, remaining: Remaining) -> Sealed:
    with host.store.create(key) as upload, path.open("rb", buffering=0) as stream:
        sealed, _ = seal(
            [Source(stream)],
            upload,
            recipients=host.backup.recipients,
            level=host.backup.compression_level,
            threads=host.backup.parallel,
            timeout_s=remaining(),
            stall_s=host.backup.stall_s,
            advance=host.progress.advance,
        )
        stored = upload.commit()
    read_back(host.store, stored, sealed)
    return sealed
