"""Quantities in the sentences of findings."""

from datetime import UTC, datetime

from opsctl.core.rule import Labels

_SIZES = ("B", "kB", "MB", "GB", "TB")


def quantity(value: float, unit: str) -> str:
    """A value with its unit: `1,204`, `12.50 USD`, `4.2 GB`, `3.5 h`, `12 %`."""
    if unit == "bytes":
        return _scaled(value)
    if unit == "s":
        return _duration(value)
    if unit == "share":
        return f"{value * 100:.3g} %"
    if len(unit) == 3 and unit.isupper():
        return f"{value:,.2f} {unit}"
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _scaled(value: float) -> str:
    for unit in _SIZES:
        if abs(value) < 1000 or unit == _SIZES[-1]:
            return f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("the loop always returns")


def _duration(value: float) -> str:
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if abs(value) >= 2 * length:
            return f"{value / length:.3g} {unit}"
    return f"{value:.3g} s"


def moment(time: datetime) -> str:
    """A time: `2026-05-01 02:00 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day_or_hour(time: datetime, daily: bool) -> str:
    """The name of a period: `Friday 2026-05-01`, or an hour as a time."""
    return f"{time:%A %Y-%m-%d}" if daily else moment(time)


def labelled(labels: Labels) -> str:
    """Labels as they begin a sentence: `storage, eu: `; nothing without labels."""
    return ", ".join(value for _, value in labels) + ": " if labels else ""


_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: tuple[float | None, ...]) -> str:
    """Values as a row of blocks, the lowest at the bottom; a blank where nothing was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    return "".join(" " if value is None else _BLOCKS[round((value - low) / step)] for value in values)
