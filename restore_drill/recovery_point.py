"""The measured recovery point: how much would have been lost, at the worst moment, had the host been lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from backup.catalog import Catalog
from backup.manifest import Part
from backup.segment import Segment


class RecoveryPoint(Part):
    """What the archive itself shows, since the previous drill or, for the first, since the beginning.

    `database_s`: the worst, in seconds, of (arrival of a segment − the heartbeat before it), counting the time from the
    newest heartbeat to the drill, which no segment ended yet; None when no heartbeat ever arrived. `segments`: how many
    arrived in the time. `newest_heartbeat` is the last moment whose data is safe. `files_s`: the worst of (arrival of a
    backup − the start of the one before it), counting likewise; `backups`: how many arrived. `off_host`: whether the
    repository survives the loss of the host; if not, a lost host loses everything, whatever the figures say.
    """

    since: datetime | None
    database_s: float | None
    segments: int
    newest_heartbeat: datetime | None
    files_s: float | None
    backups: int
    off_host: bool
    objective_s: float

    @property
    def met(self) -> bool:
        """Whether the database's figure keeps what was promised."""
        return self.database_s is not None and self.database_s <= self.objective_s


@dataclass(frozen=True)
class _Span:
    """Data written after `safe` was at risk until `arrived`; None: it still is."""

    safe: datetime
    arrived: datetime | None


def measure(
    catalog: Catalog, *, since: datetime | None, now: datetime, off_host: bool, objective_min: float
) -> RecoveryPoint:
    """Measure over what arrived after `since` (UTC). Raises IntegrityError for a chain of segments that is broken.

    Off the host the store's own time of arrival counts, on it the time of sealing.
    """
    segments = [(segment, _arrival(catalog, segment, off_host)) for segment in _segments(catalog)]
    heartbeats = [segment.heartbeat for segment, _ in segments if segment.heartbeat is not None]
    database = [*_segment_spans(segments), *(_Span(beat, None) for beat in heartbeats[-1:])]
    backups = [catalog.manifest(backup_id) for backup_id in catalog.backup_ids()]
    files = [_Span(old.started, new.finished) for old, new in pairwise(backups)]
    files += [_Span(manifest.started, None) for manifest in backups[-1:]]
    return RecoveryPoint(
        since=since,
        database_s=_worst(database, since, now),
        segments=sum(1 for _, arrived in segments if since is None or arrived > since),
        newest_heartbeat=heartbeats[-1] if heartbeats else None,
        files_s=_worst(files, since, now),
        backups=sum(1 for manifest in backups if since is None or manifest.finished > since),
        off_host=off_host,
        objective_s=objective_min * 60,
    )


def _segments(catalog: Catalog) -> Iterator[Segment]:
    for ref in catalog.lineages():
        yield from catalog.segments(ref)


def _segment_spans(segments: list[tuple[Segment, datetime]]) -> Iterator[_Span]:
    """Where a segment knows of no heartbeat before it, as the first of a lineage, the last known one stands for it."""
    known: datetime | None = None
    for segment, arrived in segments:
        before = segment.heartbeat_before or known
        if before is not None:
            yield _Span(before, arrived)
        known = segment.heartbeat or known


def _arrival(catalog: Catalog, segment: Segment, off_host: bool) -> datetime:
    stored = catalog.store.stat(segment.key) if off_host else None
    return segment.sealed_at if stored is None else max(stored.modified, segment.sealed_at)


def _worst(spans: list[_Span], since: datetime | None, now: datetime) -> float | None:
    """The longest span in seconds, of those that ended after `since`."""
    lengths = [
        ((span.arrived or now) - span.safe).total_seconds()
        for span in spans
        if since is None or span.arrived is None or span.arrived > since
    ]
    return round(max(0.0, *lengths), 3) if lengths else None
