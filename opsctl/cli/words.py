"""Quantities in words for people: sizes, durations, times with their zone, how long ago."""

from datetime import UTC, datetime

from opsctl.core.clock import utcnow
from opsctl.core.result import Outcome

OUTCOME_WORDS = {Outcome.PASSED: "passed", Outcome.FAILED: "FAILED", Outcome.COULD_NOT_RUN: "could not run"}
OUTCOME_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.COULD_NOT_RUN: "yellow"}


def size(count: int) -> str:
    """Bytes as `812 B`, `4.2 MB`, `1.06 GB` (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}"


def seconds(duration_s: float) -> str:
    """A duration as `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 days 4 h`."""
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours and days < 7 else f"{days} days"


def when(moment: datetime | None) -> str:
    """A time, the same on every machine: `2026-05-01 02:30:00 UTC`."""
    return "never" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(moment: datetime | None) -> str:
    """How long ago a time was: `5 min ago`, `never`."""
    if moment is None:
        return "never"
    return f"{seconds(max(0.0, (utcnow() - moment).total_seconds()))} ago"


def printable(text: str) -> str:
    """A stranger's text for a terminal: nothing in it can move the cursor, change colours or turn the line around."""
    return "".join(character if character.isprintable() else _visible(character) for character in text)


def _visible(character: str) -> str:
    return "\n" if character == "\n" else " " if character.isspace() else f"\\u{ord(character):04x}"
