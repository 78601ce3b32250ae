"""Answers of `opsctl binlog`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from backup.binlog.gaps import Gap
from backup.binlog.overview import LineageOverview
from backup.binlog.records import ShippedSegment
from backup.binlog.ship import Shipment
from backup.copies.records import CopyBody
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.views.copies import Copied, copied
from opsctl.cli.views.copies import text as copies_text
from opsctl.cli.words import size, when
from opsctl.core.record import Record
from opsctl.core.words import counted


class BinlogShip(Document):
    """What one shipment sealed, and how copying it to the other repositories went.

    `heartbeat` is the moment up to which everything is in the repository (UTC).
    """

    kind: Literal["binlog-ship"] = "binlog-ship"
    server: str | None
    segments: tuple[ShippedSegment, ...]
    heartbeat: datetime | None
    full_backup_due: str | None
    copies: tuple[Copied, ...] = ()


class SegmentRow(BaseModel):
    """One sealed binary log. Sizes are bytes, times UTC."""

    number: int
    name: str
    plain_size: int
    cipher_size: int
    transactions: int
    first_time: datetime | None
    last_time: datetime | None
    last_state: str
    heartbeat: datetime | None
    sealed_at: datetime


class LineageRow(BaseModel):
    """One lineage: an unbroken sequence of binary logs of one server, and why it began."""

    server: str
    lineage: str
    reason: str
    plain_size: int
    cipher_size: int
    transactions: int
    segments: tuple[SegmentRow, ...]


class BinlogList(Document):
    """Everything that was shipped, in the order in which the lineages began."""

    kind: Literal["binlog-list"] = "binlog-list"
    lineages: tuple[LineageRow, ...]


class BinlogGaps(Document):
    """Everything that a replay would stumble over, or pass without a word."""

    kind: Literal["binlog-gaps"] = "binlog-gaps"
    gaps: tuple[Gap, ...]


def shipped(shipment: Shipment, copies: Sequence[Record[CopyBody]]) -> BinlogShip:
    """What a run did."""
    body = shipment.body
    return BinlogShip(
        server=body.server,
        segments=body.segments,
        heartbeat=body.heartbeat,
        full_backup_due=body.full_backup_due,
        copies=copied(copies),
    )


def ship_text(document: BinlogShip, paint: Painter) -> Iterator[str]:
    """Say how much was shipped, up to when, and whether a full backup is due."""
    count = len(document.segments)
    transactions = sum(segment.transactions for segment in document.segments)
    plain = sum(segment.plain_size for segment in document.segments)
    yield f"Shipped {counted(count, 'binary log')}, {counted(transactions, 'transaction')}, {size(plain)}."
    yield f"Everything up to {paint(when(document.heartbeat), 'green')} is in the repository."
    if document.full_backup_due:
        yield paint("A full backup is due: ", "yellow") + document.full_backup_due
        yield paint("Try: ", "cyan") + "opsctl backup run"
    yield from copies_text(document.copies, paint)


def listed(lineages: Sequence[LineageOverview]) -> BinlogList:
    """Collect."""
    return BinlogList(
        lineages=tuple(
            LineageRow(
                server=lineage.server,
                lineage=lineage.lineage,
                reason=lineage.reason,
                plain_size=lineage.plain_size,
                cipher_size=lineage.cipher_size,
                transactions=lineage.transactions,
                segments=tuple(
                    SegmentRow(
                        number=segment.number,
                        name=segment.name,
                        plain_size=segment.sealed.plain_size,
                        cipher_size=segment.sealed.cipher_size,
                        transactions=segment.transactions,
                        first_time=segment.first_time,
                        last_time=segment.last_time,
                        last_state=segment.last_state,
                        heartbeat=segment.heartbeat,
                        sealed_at=segment.sealed_at,
                    )
                    for segment in lineage.segments
                ),
            )
            for lineage in lineages
        )
    )


def list_text(document: BinlogList, paint: Painter) -> Iterator[str]:
    """Write a table for each lineage."""
    if not document.lineages:
        yield "nothing was shipped yet"
    for number, lineage in enumerate(document.lineages):
        if number:
            yield ""
        yield paint(f"server {lineage.server}, lineage {lineage.lineage}", "bold")
        yield paint(f"began because: {lineage.reason}", "dim")
        rows = [
            (
                Cell(str(segment.number), right=True),
                segment.name,
                Cell(str(segment.transactions), right=True),
                Cell(size(segment.plain_size), right=True),
                when(segment.heartbeat) if segment.heartbeat else "",
            )
            for segment in lineage.segments
        ]
        yield from table(("no.", "name", "transactions", "size", "everything up to"), rows, paint)


def with_gaps(gaps: Sequence[Gap]) -> BinlogGaps:
    """Collect."""
    return BinlogGaps(gaps=tuple(gaps))


def gaps_text(document: BinlogGaps, paint: Painter) -> Iterator[str]:
    """Write each gap with the times between which nothing can be replayed."""
    if not document.gaps:
        yield f"There is {paint('no gap', 'green')} in what was shipped."
    for gap in document.gaps:
        yield paint(f"{gap.kind.value}", "red") + (f", at {gap.name}" if gap.name else "")
        pairs = [("what", gap.what), ("lineage", f"{gap.server} {gap.lineage}")]
        if gap.after or gap.until:
            pairs.append(("lost", f"between {when(gap.after)} and {when(gap.until) if gap.until else 'now'}"))
        yield from figures(pairs, paint, indent=2)
