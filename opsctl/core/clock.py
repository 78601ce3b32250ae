"""Times: always UTC inside, always with a zone when read from or shown to a person."""

import secrets
from datetime import UTC, datetime, timedelta

from opsctl.core.errors import SettingsError

SKEW = timedelta(minutes=5)
"""How far the clocks of machines that work together may be apart."""


def utcnow() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 time that names its zone, and return it in UTC.

    A time without a zone is refused: 02:30 is a different moment on every machine.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"'{text}' is not an ISO 8601 time", hint="write it like 2026-05-01T02:30:00Z or …+05:30"
        ) from None
    if parsed.tzinfo is None:
        raise SettingsError(
            f"'{text}' names no time zone, so it could mean several moments",
            hint=f"add the zone: {text}Z for UTC, or {text}+05:30",
        )
    return parsed.astimezone(UTC)


def compact(moment: datetime) -> str:
    """Write a time for use in a store key: `20260501T023000Z`; such keys sort by time."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def iso(moment: datetime) -> str:
    """Write a time for people and JSON: `2026-05-01T02:30:00Z`, with fractions only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment_of(key: str) -> datetime:
    """The time (UTC) at the beginning of what was named by `compact`, such as `20260501T023000Z-full-1a2b3c4d`."""
    return datetime.strptime(key[: len("20260501T023000Z")], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def in_order(moment: datetime, newest: str | None) -> datetime:
    """The moment, or a second after that of the key `newest` when the clock was set back since: keys stay in order."""
    return moment if newest is None else max(moment, moment_of(newest) + timedelta(seconds=1))


def new_id() -> str:
    """Return eight random hexadecimal digits; with a time before it, an id that sorts by time and never collides."""
    return secrets.token_hex(4)
