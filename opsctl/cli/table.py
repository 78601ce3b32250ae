"""Tables for people: at most 80 columns, the widest cells wrapped, no lines drawn."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opsctl.cli.output import Painter

WIDTH = 80
GAP = 2
NARROWEST = 8
_HOLD = "\u00a0"
_UNIT = re.compile(r"(\d) (s|min|h|days|B|kB|MB|GB|TB)\b")


@dataclass(frozen=True)
class Cell:
    """A text in a style of Painter; `right` aligns numbers."""

    text: str
    style: str | None = None
    right: bool = False


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell | str]], paint: Painter) -> Iterator[str]:
    """Lay rows out in columns; what does not fit into 80 columns is wrapped inside its cell."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    head = [Cell(text, "bold", right=bool(cells) and cells[0][n].right) for n, text in enumerate(headers)]
    lines = [head, *cells] if any(headers) else cells
    widths = _fit([max(len(row[n].text) for row in lines) for n in range(len(headers))] if lines else [])
    for row in lines:
        yield from _lines(row, widths, paint)


def figures(pairs: Sequence[tuple[str, str]], paint: Painter, *, indent: int = 0) -> Iterator[str]:
    """Name and value, one pair a line, the values in one column."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        room = WIDTH - indent - width - GAP
        first, *more = wrap(value, room)
        yield " " * indent + paint(f"{name:<{width}}", "dim") + " " * GAP + first
        for line in more:
            yield " " * (indent + width + GAP) + line


def wrap(text: str, width: int) -> list[str]:
    """Wrap a text, never between a number and its unit; never empty."""
    if len(text) <= width and " ".join(text.split()) == text:
        return [text]
    held = _UNIT.sub(f"\\1{_HOLD}\\2", text)
    lines = textwrap.wrap(held, max(width, NARROWEST), break_on_hyphens=False)
    return [line.replace(_HOLD, " ") for line in lines] or [""]


def _fit(widths: list[int]) -> list[int]:
    """Take what is too much from the widest columns."""
    room = WIDTH - GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        others = sorted(widths)[-2] if len(widths) > 1 else 0
        excess = sum(widths) - room
        widths[widest] -= max(1, min(excess, widths[widest] - max(others, NARROWEST)))
    return widths


def _lines(row: Sequence[Cell], widths: Sequence[int], paint: Painter) -> Iterator[str]:
    wrapped = [wrap(cell.text, width) for cell, width in zip(row, widths, strict=True)]
    for number in range(max(len(lines) for lines in wrapped)):
        parts = []
        for cell, lines, width in zip(row, wrapped, widths, strict=True):
            text = lines[number] if number < len(lines) else ""
            padded = f"{text:>{width}}" if cell.right else f"{text:<{width}}"
            parts.append(paint(padded, cell.style))
        yield (" " * GAP).join(parts).rstrip()
