"""Which archives to read now, so that each is read within a month, whatever was read by whom before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backup.codec import Sealed
from opsctl.core.clock import SKEW

WITHIN = timedelta(days=28)
"""So that what a daily run reads late is still read within a month."""
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Archive:
    """One archive in a repository: what a signed document says of it, and when it arrived there and was read back."""

    key: str
    sealed: Sealed
    arrived: datetime


def looked_at(archive: Archive, last: Mapping[str, datetime], now: datetime) -> datetime:
    """When an archive was last read whole (UTC). What a clock that ran ahead has dated says nothing."""
    times = [time for time in (last.get(archive.key), archive.arrived) if time is not None and time <= now + SKEW]
    return max(times, default=NEVER)


def choose(archives: Sequence[Archive], last: Mapping[str, datetime], percent: float, now: datetime) -> list[Archive]:
    """Those that were not read for longest, `percent` of all bytes at least, and all that were not read for 28 days."""
    waiting = sorted(archives, key=lambda archive: (looked_at(archive, last, now), archive.key))
    wanted = sum(archive.sealed.cipher_size for archive in archives) * percent / 100
    chosen, size = [], 0
    for archive in waiting:
        if size >= wanted and looked_at(archive, last, now) > now - WITHIN:
            break
        chosen.append(archive)
        size += archive.sealed.cipher_size
    return chosen
