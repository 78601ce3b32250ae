"""Wall clocks of other zones: when a local time was in UTC, and which day a moment belongs to."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def moments(local: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moments (UTC) at which a zone's clocks showed a naive time: one, or two in the hour that came twice.

    A time that clocks skipped is the moment at which they would have shown it without the change.
    """
    first = local.replace(tzinfo=zone)
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return (first.astimezone(UTC),)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        return (first.astimezone(UTC),)
    return (first.astimezone(UTC), second.astimezone(UTC))


def day_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """The day that a moment belongs to, as daily values are timed: 00:00 UTC of its date in the zone."""
    return datetime.combine(moment.astimezone(zone).date(), time(), UTC)


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The moment (UTC) at which a date begins in a zone."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def naive(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a zone's clocks show."""
    return moment.astimezone(zone).replace(tzinfo=None)
