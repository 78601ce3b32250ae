"""Draws a series in a terminal: bars of eighths of a character, at most 80 columns wide."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from anomaly_rules.words import moment, quantity

WIDTH = 64
HEIGHT = 10
_EIGHTHS = " ▁▂▃▄▅▆▇█"

Point = tuple[datetime, float | None]


def chart(points: Sequence[Point], unit: str, *, since: datetime | None, expected: float | None) -> Iterator[str]:
    """Lines of a chart of values in time (UTC, ascending, None where nothing was measured).

    Several periods share a column when there are many; the column then shows the one that is farthest from the middle.
    `since` is marked below, `expected` by a dotted line.
    """
    known = [value for _, value in points if value is not None]
    if not known:
        yield "nothing was measured"
        return
    columns = _columns(points)
    reach = [*known, *([expected] if expected is not None else [])]
    low, high = min(0.0, *reach) if min(reach) < 0 or min(reach) < 0.7 * max(reach) else min(reach), max(reach)
    if high == low:
        high = low + (abs(low) or 1.0)
    dotted = None if expected is None else min(HEIGHT - 1, int((expected - low) / (high - low) * HEIGHT))
    names = [quantity(high, unit), quantity(low, unit)]
    if expected is not None:
        names.append(quantity(expected, unit))
    margin = max(len(name) for name in names)
    for level in range(HEIGHT - 1, -1, -1):
        name = names[0] if level == HEIGHT - 1 else names[1] if level == 0 else ""
        if level == dotted and not name:
            name = names[2]
        bars = "".join(_bar(value, low, high, level, dotted=level == dotted) for _, value in columns)
        yield f"{name:>{margin}} │{bars}".rstrip()
    yield " " * margin + " └" + "─" * len(columns)
    yield from _axis(columns, margin, since)


def _columns(points: Sequence[Point]) -> list[Point]:
    share = max(1, math.ceil(len(points) / WIDTH))
    columns: list[Point] = []
    known = sorted(value for _, value in points if value is not None)
    middle = known[len(known) // 2]
    for start in range(0, len(points), share):
        part = points[start : start + share]
        values = [value for _, value in part if value is not None]
        columns.append((part[0][0], max(values, key=lambda value: abs(value - middle)) if values else None))
    return columns


def _bar(value: float | None, low: float, high: float, level: int, *, dotted: bool) -> str:
    eighths = 0 if value is None else round((value - low) / (high - low) * HEIGHT * 8) - level * 8
    filled = _EIGHTHS[max(0, min(8, eighths))]
    return "·" if dotted and filled == " " else filled


def _axis(columns: Sequence[Point], margin: int, since: datetime | None) -> Iterator[str]:
    if since is not None and columns[0][0] <= since:
        at = max(index for index, (time, _) in enumerate(columns) if time <= since)
        label = f"since {moment(since)}"
        text = f"{label} ↑" if at > len(label) else f"↑ {label}"
        yield " " * (margin + 2 + (at - len(label) - 1 if at > len(label) else at)) + text
    first, last = (moment(columns[place][0])[:10] for place in (0, -1))
    yield " " * (margin + 2) + first + last.rjust(max(len(columns) - len(first), len(last) + 1))
