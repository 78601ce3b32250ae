"""What can only be told by looking at the whole of an export: how its times are written, and in which order its dates.

One pass, four bytes of memory a message.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import pairwise

from opsctl.core.errors import OpsError, SettingsError
from vault.whatsapp.lines import Line
from vault.whatsapp.stamp import Shape, Stamp, read_stamp

# WhatsApp began in 2009.
FIRST_YEAR, LAST_YEAR = 2009, 2099
# So many lines out of order are no longer texts that somebody pasted.
MOST_PASTED, MOST_PASTED_SHARE = 100, 0.01


class DateOrder(StrEnum):
    """Where in a date the day, the month and the year stand."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


@dataclass(frozen=True)
class Survey:
    """What an export's messages have in common. `pasted` are line numbers whose times belong to a message's text."""

    shape: Shape
    order: DateOrder
    spaced_colon: bool
    pasted: frozenset[int]
    stamped: int


@dataclass
class _Form:
    """All lines of one shape: packed dates, line numbers, and the first line that only one order can read."""

    dates: "array[int]" = field(default_factory=lambda: array("I"))
    lines: "array[int]" = field(default_factory=lambda: array("I"))
    witness: dict[DateOrder, tuple[int, str]] = field(default_factory=dict)
    possible: set[DateOrder] = field(default_factory=lambda: set(DateOrder))
    colons: int = 0
    spaced: int = 0
    first: str = ""


def day_of(written: tuple[int, int, int], order: DateOrder) -> int | None:
    """The day (proleptic ordinal) that three numbers mean; None when they mean none in that order."""
    if order is DateOrder.YMD:
        year, month, day = written
    elif order is DateOrder.DMY:
        day, month, year = written
    else:
        month, day, year = written
    if year < 100:
        year += 2000
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def survey(lines: Iterable[Line], *, order: DateOrder | None = None) -> Survey:
    """Look at every line. `order` decides when a person has.

    Raises OpsError when there is no message at all, SettingsError when the order of dates cannot be told or differs
    within the file; it shows both readings.
    """
    forms: dict[Shape, _Form] = {}
    known: dict[tuple[int, int, int], frozenset[DateOrder]] = {}
    for line in lines:
        stamp = read_stamp(line.text)
        if stamp is not None:
            readings = known.get(stamp.date)
            if readings is None:
                readings = frozenset(each for each in DateOrder if day_of(stamp.date, each) is not None)
                known[stamp.date] = readings
            if readings:
                _note(forms.setdefault(stamp.shape, _Form()), line, stamp, readings)
    if not forms:
        raise OpsError("no line of this file begins as a message does", hint="is it an export of a WhatsApp chat?")
    shape, form = max(forms.items(), key=lambda item: len(item[1].lines))
    decided = order or _decide(form)
    return Survey(shape, decided, form.spaced * 2 >= form.colons, _pasted(form, decided), len(form.lines))


def _note(form: _Form, line: Line, stamp: Stamp, readings: frozenset[DateOrder]) -> None:
    a, b, c = stamp.date
    form.dates.append((a * 100 + b) * 10000 + c)
    form.lines.append(line.number)
    form.first = form.first or line.text
    form.possible &= readings
    if len(readings) == 1:
        (only,) = readings
        form.witness.setdefault(only, (line.number, line.text))
    before, colon, after = stamp.rest.partition(":")
    if colon and before:
        form.colons += 1
        form.spaced += not after or after[0] in " \u200e"


def _decide(form: _Form) -> DateOrder:
    if len(form.witness) > 1 or not form.possible:
        shown = "".join(f"\n    {order} only: line {n}: {text[:60]}" for order, (n, text) in form.witness.items())
        raise SettingsError(
            f"the order of day and month changes within the file{shown}",
            hint="two exports in one file? split it; if one line is only text: --date-order dmy or --date-order mdy",
        )
    if len(form.possible) > 1 and DateOrder.YMD in form.possible and not _only_the_last_number_varies(form):
        # Short years stand first in hardly any language; `25/1/24` alone shall not be read as a day of 2025.
        form.possible.discard(DateOrder.YMD)
    if len(form.possible) == 1:
        return next(iter(form.possible))
    chronological = [order for order in sorted(form.possible) if _descents(_days(form, order)) == 0]
    if len(chronological) == 1:
        return chronological[0]
    raise SettingsError(
        f"the order of day and month cannot be told from this file{_readings(form)}",
        hint="say which it is: " + " or ".join(f"--date-order {order}" for order in sorted(form.possible)),
    )


def _only_the_last_number_varies(form: _Form) -> bool:
    firsts, lasts = {packed // 1_000_000 for packed in form.dates}, {packed % 10000 for packed in form.dates}
    return len(firsts) == 1 and len(lasts) > 1


def _readings(form: _Form) -> str:
    """Both readings of the first and the last date, for a person."""
    shown = f"\n    first message: {form.first[:60]}"
    for order in sorted(form.possible):
        days = _days(form, order)
        first, last = date.fromordinal(days[0]), date.fromordinal(days[-1])
        shown += f"\n    {order}: from {first:%-d %B %Y} to {last:%-d %B %Y}"
    return shown


def _days(form: _Form, order: DateOrder) -> "array[int]":
    """Every line's day in one reading; 0 for a line that has none in it."""
    known: dict[int, int] = {}
    days = array("i")
    for packed in form.dates:
        if packed not in known:
            first, c = divmod(packed, 10000)
            known[packed] = day_of((*divmod(first, 100), c), order) or 0
        days.append(known[packed])
    return days


def _descents(days: "array[int]") -> int:
    """How often a message is more than a day older than the one before."""
    return sum(1 for before, after in pairwise(days) if after < before - 1)


def _pasted(form: _Form, order: DateOrder) -> frozenset[int]:
    """The lines whose day fits between no others: parts of somebody's text, not messages of that day."""
    days = _days(form, order)
    impossible = frozenset(line for line, day in zip(form.lines, days, strict=True) if day == 0)
    if _descents(days) == 0:
        return impossible
    lower, upper = _bounds(days, _longest_chronology(days))
    pasted = {
        line
        for line, day, low, high in zip(form.lines, days, lower, upper, strict=True)
        if day and not low - 1 <= day <= high + 1
    }
    if len(pasted) > max(MOST_PASTED, MOST_PASTED_SHARE * len(days)):
        return impossible
    return impossible | pasted


def _longest_chronology(days: "array[int]") -> bytearray:
    """Mark the lines of the longest series whose days never go back.

    Searched from the end, so that of two series as long the one with the earlier lines is found: what is pasted stands
    behind the message that it is pasted into.
    """
    tails: list[int] = []
    ends: list[int] = []
    after = array("i", bytes(4 * len(days)))
    for number in range(len(days) - 1, -1, -1):
        if days[number] == 0:
            continue
        place = bisect_right(tails, -days[number])
        after[number] = ends[place - 1] if place else -1
        if place == len(tails):
            tails.append(-days[number])
            ends.append(number)
        else:
            tails[place], ends[place] = -days[number], number
    chosen = bytearray(len(days))
    number = ends[-1] if ends else -1
    while number >= 0:
        chosen[number] = 1
        number = after[number]
    return chosen


def _bounds(days: "array[int]", chosen: bytearray) -> "tuple[array[int], array[int]]":
    """For every line, the days of the marked lines around it."""
    lower, upper = array("i"), array("i")
    last = 0
    for day, is_chosen in zip(days, chosen, strict=True):
        last = day if is_chosen else last
        lower.append(last)
    last = date.max.toordinal() - 1
    for day, is_chosen in zip(reversed(days), reversed(chosen), strict=True):
        last = day if is_chosen else last
        upper.append(last)
    upper.reverse()
    return lower, upper
