"""Where the shipped binary log has gaps: everything that a replay would stumble over, or pass without a word."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise, zip_longest

from pydantic import BaseModel, ConfigDict

from backup.binlog.lineage import name_in, record_keys
from backup.catalog import Catalog, LineageRef
from backup.documents import fetch
from backup.retention.pruned import Pruned, newest_pruned
from backup.segment import NO_RECORD, Segment, parse_segment
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.mariadb.binlog_sequence import successor
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.signing import Namespace
from opsctl.core.store import get


class GapKind(StrEnum):
    """What is wrong."""

    LINEAGE = "another lineage began"
    RECORD = "a record is missing"
    UNREADABLE = "a record cannot be trusted"
    CHAIN = "a record does not follow the one before it"
    ARCHIVE = "an archive is missing or has another size"
    STATE = "the logs do not continue each other"
    TAIL = "the repository ends before its newest head"


class Gap(BaseModel):
    """One gap: where it is, what it is in one sentence, and between which times (UTC) data cannot be replayed.

    `after` is the newest time proved before it and `until` the first one after it; None where nothing says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: GapKind
    server: str
    lineage: str
    name: str | None
    what: str
    after: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class _Record:
    key: str
    segment: Segment
    sha256: str


def find_gaps(catalog: Catalog, repository: str | None = None) -> list[Gap]:
    """All gaps in all lineages, in order; nothing stops at the first. Raises only when the store cannot be read.

    A beginning that was pruned is none, if a trusted signer says so of the repository of this name.
    """
    gaps: list[Gap] = []
    pruned = None
    try:
        pruned = None if repository is None else newest_pruned(catalog, repository)
    except IntegrityError as error:
        gaps.append(Gap(kind=GapKind.UNREADABLE, server="", lineage="", name=None, what=str(error)))
    sizes = {item.key: item.size for item in catalog.store.list(f"{catalog.stack}/binlog/")}
    ends: list[tuple[LineageRef, list[_Record]]] = []
    for ref in catalog.lineages():
        records: list[_Record] = []
        for key in record_keys(catalog, ref):
            found = _read(catalog, ref, key)
            if isinstance(found, Gap):
                gaps.append(found)
            else:
                records.append(found)
        records.sort(key=lambda record: record.segment.number)
        gaps.extend(_unsigned(catalog, records))
        gaps.extend(_in_lineage(records, sizes, pruned))
        ends.append((ref, records))
    gaps.extend(_between(ends))
    gaps.extend(_before_head(catalog, ends))
    return gaps


def _read(catalog: Catalog, ref: LineageRef, key: str) -> _Record | Gap:
    try:
        data = get(catalog.store, key)
        segment = parse_segment(data, key)
        if (segment.stack, segment.server, segment.lineage) != (catalog.stack, ref.server, ref.lineage):
            raise IntegrityError(f"{key} is the record of another lineage: {segment.lineage}")
        return _Record(key, segment, sha256_hex(data))
    except OpsError as error:
        return Gap(kind=GapKind.UNREADABLE, server=ref.server, lineage=ref.lineage, name=name_in(key), what=str(error))


def _unsigned(catalog: Catalog, records: list[_Record]) -> Iterator[Gap]:
    """Records that no trusted signer stands for. A signature holds for all records before it that are chained to it."""
    following = [after.segment.previous for after in records[1:]]
    for record, previous in zip_longest(records, following):
        if previous != record.sha256:
            try:
                fetch(catalog.store, catalog.verifier, Namespace.SEGMENT, record.key, at=record.segment.sealed_at)
            except OpsError as error:
                yield _gap(GapKind.UNREADABLE, record.segment, str(error))


def _in_lineage(records: list[_Record], sizes: dict[str, int], pruned: Pruned | None) -> Iterator[Gap]:
    """Gaps inside one lineage."""
    if records and records[0].segment.number != 1 and not _was_pruned(records[0].segment, pruned):
        missing = _numbers(1, records[0].segment.number - 1)
        yield _gap(GapKind.RECORD, records[0].segment, f"{missing} of the lineage, its beginning, is missing")
    elif records and records[0].segment.number == 1 and records[0].segment.previous != NO_RECORD:
        yield _gap(GapKind.CHAIN, records[0].segment, "the first record names one before it")
    for before, after in pairwise(records):
        yield from _joint(before, after)
    for record in records:
        segment, size = record.segment, sizes.get(record.segment.key)
        if size is None:
            yield _gap(GapKind.ARCHIVE, segment, f"{segment.key} is missing")
        elif size != segment.sealed.cipher_size:
            yield _gap(
                GapKind.ARCHIVE,
                segment,
                f"{segment.key} has {size} bytes, its record says {segment.sealed.cipher_size}",
            )


def _was_pruned(first: Segment, pruned: Pruned | None) -> bool:
    return pruned is not None and pruned.explains_beginning(
        first.server, first.lineage, first=first.number, previous=first.previous
    )


def _joint(before: _Record, after: _Record) -> Iterator[Gap]:
    """Gaps between two records that follow each other by number."""
    old, new = before.segment, after.segment
    if new.number != old.number + 1:
        what = f"{_numbers(old.number + 1, new.number - 1)} of the lineage is missing"
        yield _gap(GapKind.RECORD, new, what, old)
        return
    if new.previous != before.sha256:
        yield _gap(GapKind.CHAIN, new, f"the record of {new.name} names another before it than that of {old.name}", old)
    if new.name != successor(old.name):
        yield _gap(GapKind.STATE, new, f"{new.name} does not follow {old.name}", old)
    elif BinlogState.parse(new.first_state) != BinlogState.parse(old.last_state):
        what = f"{new.name} begins at '{new.first_state}', {old.name} ended at '{old.last_state}'"
        yield _gap(GapKind.STATE, new, what, old)


def _between(ends: list[tuple[LineageRef, list[_Record]]]) -> Iterator[Gap]:
    """The change from each lineage to the next."""
    for (_, old), (_, new) in pairwise(ends):
        if new:
            first = new[0].segment
            yield _gap(GapKind.LINEAGE, first, first.lineage_reason, old[-1].segment if old else None)


def _before_head(catalog: Catalog, ends: list[tuple[LineageRef, list[_Record]]]) -> Iterator[Gap]:
    """What the newest head has seen and the repository no longer holds: a cut tail leaves no other trace."""
    try:
        head = catalog.newest_head()
    except OpsError as error:
        yield Gap(kind=GapKind.TAIL, server="", lineage="", name=None, what=f"the newest head: {error}")
        return
    if head is None or head.lineage is None:
        return
    records = next((records for ref, records in ends if ref.lineage == head.lineage), [])
    if any(record.sha256 == head.last_record for record in records):
        return
    last = records[-1].segment if records else None
    yield Gap(
        kind=GapKind.TAIL,
        server=head.server or "",
        lineage=head.lineage,
        name=last.name if last else None,
        what=f"the head of {head.at:%Y-%m-%dT%H:%M:%SZ} has seen {head.segments} segments, {len(records)} are here",
        after=_proved(last) if last else None,
        until=head.at,
    )


def _gap(kind: GapKind, at: Segment, what: str, before: Segment | None = None) -> Gap:
    return Gap(
        kind=kind,
        server=at.server,
        lineage=at.lineage,
        name=at.name,
        what=what,
        after=_proved(before) if before else None,
        until=at.first_time or at.heartbeat or at.sealed_at,
    )


def _proved(segment: Segment) -> datetime | None:
    """The newest time up to which a segment holds everything."""
    return segment.heartbeat or segment.last_time or segment.heartbeat_before


def _numbers(first: int, last: int) -> str:
    return f"segment {first}" if first == last else f"segments {first} to {last}"
