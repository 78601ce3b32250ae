"""Ids that sort by the moment at which they were given, also within a second and when a clock was set back."""

from datetime import UTC, datetime, timedelta

from opsctl.core.clock import new_id, utcnow

_FORM = "%Y%m%dT%H%M%S%fZ"
_LENGTH = len("20260501T023000000000Z")


def moment_after(newest: str | None) -> datetime:
    """The current time (UTC), or, when the id `newest` is not older than that, a microsecond after it."""
    now = utcnow()
    if newest is None:
        return now
    given = datetime.strptime(newest[:_LENGTH], _FORM).replace(tzinfo=UTC)
    return max(now, given + timedelta(microseconds=1))


def id_at(moment: datetime) -> str:
    """An id such as `20260501T023000123456Z-1a2b3c4d`."""
    return f"{moment.strftime(_FORM)}-{new_id()}"
