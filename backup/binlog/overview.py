"""What was shipped, lineage by lineage."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backup.catalog import Catalog
from backup.segment import Segment


class LineageOverview(BaseModel):
    """One lineage: why it began and what it holds. Sizes are bytes, times are UTC.

    `first_time` and `last_time` are the servers' own of the oldest and newest transaction; `heartbeat` is the newest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: str
    lineage: str
    reason: str
    segments: tuple[Segment, ...]
    plain_size: int
    cipher_size: int
    transactions: int
    first_time: datetime | None
    last_time: datetime | None
    heartbeat: datetime | None
    sealed_at: datetime


def segments_overview(catalog: Catalog) -> list[LineageOverview]:
    """Every lineage with its segments, in the order in which they began. Raises IntegrityError where one is broken."""
    return [_overview(catalog.segments(ref)) for ref in catalog.lineages()]


def _overview(segments: list[Segment]) -> LineageOverview:
    first, last = segments[0], segments[-1]
    return LineageOverview(
        server=first.server,
        lineage=first.lineage,
        reason=first.lineage_reason,
        segments=tuple(segments),
        plain_size=sum(segment.sealed.plain_size for segment in segments),
        cipher_size=sum(segment.sealed.cipher_size for segment in segments),
        transactions=sum(segment.transactions for segment in segments),
        first_time=min((segment.first_time for segment in segments if segment.first_time), default=None),
        last_time=max((segment.last_time for segment in segments if segment.last_time), default=None),
        heartbeat=max((segment.heartbeat for segment in segments if segment.heartbeat), default=None),
        sealed_at=last.sealed_at,
    )
