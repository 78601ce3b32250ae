"""Lineages: where one ends, whether a server's logs still continue it, and whether it needs a full backup."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backup import layout
from backup.binlog.session import BinlogFile, Listing
from backup.catalog import Catalog, LineageRef
from backup.documents import fetch
from backup.manifest import Manifest
from backup.segment import Segment, parse_segment
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.binlog import FileScan
from opsctl.core.mariadb.binlog_sequence import successor
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.signing import Namespace
from opsctl.core.store import get

RECORD = ".json"
ARCHIVE = ".zst.age"


@dataclass(frozen=True)
class End:
    """The last segment of a lineage, and the SHA-256 of its record."""

    segment: Segment
    record_sha256: str


@dataclass(frozen=True)
class Plan:
    """What to ship: `files`, in order, and why they cannot continue the lineage, if the names and sizes say so."""

    files: tuple[BinlogFile, ...]
    broken: str | None = None


def record_keys(catalog: Catalog, ref: LineageRef) -> list[str]:
    """Keys of the records of a lineage, in the order of the logs: binlog.999999 comes before binlog.1000000."""
    prefix = layout.lineage(catalog.stack, ref.server, ref.lineage)
    return record_order(item.key for item in catalog.store.list(prefix, ending=RECORD))


def record_order(keys: Iterable[str]) -> list[str]:
    """Keys of records of one lineage, in the order of the logs."""
    return sorted(keys, key=lambda key: (_number(name_in(key)), key))


def name_in(key: str) -> str:
    """The name of the binary log whose record lies under `key`: `<name>.<id>.json`."""
    return key.rpartition("/")[2].removesuffix(RECORD).rpartition(".")[0]


def newest_end(catalog: Catalog) -> End | None:
    """The end of the newest lineage, its signature verified; None when nothing was shipped yet.

    Reads one record, however long the lineage is. Raises IntegrityError.
    """
    refs = catalog.lineages()
    return _read(catalog, refs[-1], record_keys(catalog, refs[-1])[-1]) if refs else None


def plan(last: Segment | None, listing: Listing) -> Plan:
    """Say which closed files come after the last shipped one, by names and sizes alone."""
    broken = "first shipment" if last is None else _broken(last, listing)
    if last is None or broken is not None:
        return Plan(listing.closed, broken)
    following = successor(last.name)
    return Plan(tuple(file for file in listing.closed if _number(file.name) >= _number(following)))


def _broken(last: Segment, listing: Listing) -> str | None:
    if listing.server != last.server:
        return f"the server's id was {last.server[1:]} and is now {listing.server_id}"
    names, following = [file.name for file in listing.files], successor(last.name)
    sizes = {file.name: file.size for file in listing.closed}
    if last.name in sizes:
        shipped, found = last.sealed.plain_size, sizes[last.name]
        return None if shipped == found else f"{last.name} was shipped with {shipped} bytes and now has {found}"
    if last.name not in names and following in names:
        return None
    if last.name not in names and _base(names[0]) == _base(following) and _number(names[0]) > _number(following):
        return f"the server purged {following} and all others before {names[0]} before they were shipped"
    return f"the server began its logs anew: {last.name} was shipped, and now there is {names[0]} to {names[-1]}"


def break_between(last: Segment, name: str, scan: FileScan) -> str | None:
    """Why the file `name` does not follow the last segment; None when it does."""
    if name != successor(last.name):
        return f"{name} does not follow {last.name}"
    if scan.first_state != BinlogState.parse(last.last_state):
        return f"{name} begins at '{scan.first_state}', {last.name} ended at '{last.last_state}'"
    return None


def break_after(name: str, scan: FileScan) -> str | None:
    """Why no file may follow this one in its lineage; None when one may."""
    if scan.ends_inside_transaction:
        return f"{name} ends inside a transaction: the server crashed"
    if scan.rotate_to not in (None, successor(name)):
        return f"{name} hands over to {scan.rotate_to}"
    return None


def full_backup_due(catalog: Catalog) -> str | None:
    """Why a full backup is needed now, or None.

    Without one that stands on the newest lineage, nothing after the break before it can be restored. Reads at most a
    few records. Raises IntegrityError for manifests and records that do not hold.
    """
    newest = _newest_full(catalog)
    return "there is no full backup" if newest is None else begun_anew_after(catalog, newest)


def begun_anew_after(catalog: Catalog, backup: Manifest) -> str | None:
    """Why the newest lineage does not continue a backup, or None when it does, or when nothing was shipped yet.

    Reads at most a few records. Raises IntegrityError for records that do not hold.
    """
    refs = catalog.lineages()
    if not refs:
        return None
    keys = record_keys(catalog, refs[-1])
    wanted = [key for key in keys if key in (keys[0], keys[-1]) or name_in(key) == backup.database.binlog_file]
    segments = [_read(catalog, refs[-1], key).segment for key in wanted]
    if stands_on(segments, backup):
        return None
    return f"the binary log began anew after the {backup.kind} backup {backup.id}: {segments[0].lineage_reason}"


def stands_on(lineage: Sequence[Segment], backup: Manifest) -> bool:
    """Whether a backup's position is in a lineage or after its end so far, so that its segments continue the backup.

    `lineage` may be only its first and last segments and those of the backup's file. A name alone proves nothing, since
    servers use them again; nor do GTIDs, which begin again as well.
    """
    position = backup.database
    if position.binlog_file is None or position.server_id != int(lineage[0].server[1:]):
        return False
    if any(holds(segment, backup) for segment in lineage):
        return True
    first, last = lineage[0], lineage[-1]
    return (
        backup.finished > first.sealed_at
        and _number(position.binlog_file) > _number(last.name)
        and _covers(position.gtid_state, last.last_state)
    )


def holds(segment: Segment, backup: Manifest) -> bool:
    """Whether a backup's position is in a segment."""
    position = backup.database
    if segment.name != position.binlog_file or (position.binlog_position or 0) > segment.sealed.plain_size:
        return False
    if BinlogState.parse(position.gtid_state) == BinlogState.parse(segment.first_state):
        return True
    return (
        _covers(position.gtid_state, segment.first_state)
        and _covers(segment.last_state, position.gtid_state)
        and segment.first_time is not None
        and segment.first_time <= backup.finished
    )


def _covers(later: str, earlier: str) -> bool:
    state = BinlogState.parse(later)
    return all(state.covers(gtid) for gtid in BinlogState.parse(earlier))


def _newest_full(catalog: Catalog) -> Manifest | None:
    for backup_id in reversed(catalog.backup_ids()):
        manifest = catalog.manifest(backup_id)
        if manifest.kind == "full":
            return manifest
    return None


def _read(catalog: Catalog, ref: LineageRef, key: str) -> End:
    segment = parse_segment(get(catalog.store, key), key)
    data = fetch(catalog.store, catalog.verifier, Namespace.SEGMENT, key, at=segment.sealed_at)
    if (segment.stack, segment.server, segment.lineage) != (catalog.stack, ref.server, ref.lineage):
        raise IntegrityError(f"{key} is the record of another lineage: {segment.lineage}", where=catalog.store.where)
    return End(segment, sha256_hex(data))


def _base(name: str) -> str:
    return name.rpartition(".")[0]


def _number(name: str) -> int:
    return int(name.rpartition(".")[2])
