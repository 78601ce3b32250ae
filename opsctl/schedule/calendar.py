"""When a job runs: calendar expressions in the format of systemd.time(7), always in UTC.

Understood is what the job table needs of that format, and nothing is guessed: `Mon..Fri *-*-* 04:30:00`, `*:0/15`,
`*-02-11 04:30:00`, `daily`. Several expressions are separated by semicolons. Years are always `*`; the last days of a
month (`~`), fractions of seconds and other zones than UTC are refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from opsctl.core.errors import SettingsError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMED = {
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
}
# The longest that two runs can be apart: from one 29 February over a year that has none, such as 2100, to the next.
_HORIZON = timedelta(days=8 * 366 + 1)


@dataclass(frozen=True)
class Rule:
    """One expression: every moment whose parts are all in these. Weekdays count from Monday, which is 0."""

    weekdays: tuple[int, ...]
    months: tuple[int, ...]
    days: tuple[int, ...]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def on(self, day: date) -> bool:
        """Whether it has moments on a day."""
        return day.month in self.months and day.day in self.days and day.weekday() in self.weekdays

    def times(self, *, backwards: bool) -> Iterator[time]:
        """The moments of a day, in order."""
        step = -1 if backwards else 1
        for hour in self.hours[::step]:
            for minute in self.minutes[::step]:
                for second in self.seconds[::step]:
                    yield time(hour, minute, second, tzinfo=UTC)


@dataclass(frozen=True)
class Calendar:
    """A job's calendar: its expressions as they were written, and what they mean."""

    expressions: tuple[str, ...]
    rules: tuple[Rule, ...]

    def after(self, moment: datetime) -> datetime:
        """The first moment (UTC) later than this one."""
        return min(_search(rule, moment, backwards=False) for rule in self.rules)

    def until(self, moment: datetime) -> datetime:
        """The last moment (UTC) that is not later than this one."""
        return max(_search(rule, moment, backwards=True) for rule in self.rules)

    @property
    def systemd(self) -> tuple[str, ...]:
        """What stands behind OnCalendar=, one line for each."""
        return tuple(f"{expression} UTC" for expression in self.expressions)


def parse(text: str) -> Calendar:
    """Read a calendar. Raises SettingsError for what is not understood, with the part that is not."""
    expressions = tuple(_without_zone(part.strip(), text) for part in text.split(";"))
    return Calendar(expressions, tuple(_rule(expression, text) for expression in expressions))


def _without_zone(expression: str, text: str) -> str:
    words = expression.split()
    if words and words[-1].upper() == "UTC":
        return " ".join(words[:-1])
    if words and re.fullmatch(r"[A-Z]{3,4}|\w+/\w+", words[-1]):
        raise _not_understood(text, f"'{words[-1]}' is another zone than UTC")
    return " ".join(words)


def _rule(expression: str, text: str) -> Rule:
    words = _NAMED.get(expression.lower(), expression).split()
    if not words:
        raise _not_understood(text, "an expression is empty")
    weekdays = _weekdays(words.pop(0), text) if words[0][0].isalpha() else tuple(range(7))
    dates = words.pop(0) if words and ":" not in words[0] else "*-*-*"
    clock = words.pop(0) if words else "00:00:00"
    if words:
        raise _not_understood(text, f"'{words[0]}' comes after the time")
    year, *date_parts = dates.split("-")
    if len(date_parts) != 2 or year != "*":
        raise _not_understood(text, f"'{dates}' is no date like *-*-* or *-02-11; the year has to be *")
    months, days = (_part(*each, text) for each in zip(date_parts, (1, 1), (12, 31), strict=True))
    clock_parts = clock.split(":")
    if len(clock_parts) == 2:
        clock_parts.append("00")
    if len(clock_parts) != 3:
        raise _not_understood(text, f"'{clock}' is no time like 02:00 or *:0/15")
    hours, minutes, seconds = (_part(*each, text) for each in zip(clock_parts, (0, 0, 0), (23, 59, 59), strict=True))
    found = Rule(weekdays, months, days, hours, minutes, seconds)
    _require_a_day(found, text)
    return found


def _require_a_day(rule: Rule, text: str) -> None:
    longest = {month: 29 if month == 2 else 30 if month in {4, 6, 9, 11} else 31 for month in rule.months}
    if not any(day <= last for last in longest.values() for day in rule.days):
        raise _not_understood(text, "no such day ever comes")


def _weekdays(word: str, text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in word.split(","):
        first, dots, last = part.partition("..")
        begin, end = _weekday(first, text), _weekday(last if dots else first, text)
        if begin > end:
            raise _not_understood(text, f"'{part}' goes backwards")
        found.update(range(begin, end + 1))
    return tuple(sorted(found))


def _weekday(word: str, text: str) -> int:
    full = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
    if word.lower() in {*_DAYS, *full}:
        return _DAYS.index(word.lower()[:3])
    raise _not_understood(text, f"'{word}' is no day of the week, and no name such as daily")


def _part(word: str, low: int, high: int, text: str) -> tuple[int, ...]:
    """One component: `*`, a number, a range `1..7`, steps `0/15` or `1..20/5`, or a list of those."""
    found: set[int] = set()
    for part in word.split(","):
        match = re.fullmatch(r"(?:(\*)|(\d{1,2})(?:\.\.(\d{1,2}))?)(?:/(\d{1,2}))?", part)
        if match is None:
            raise _not_understood(text, f"'{part}' is no number, range, step or *")
        every, first, last, step = match.groups()
        begin = low if every else int(first)
        end = int(last) if last else (high if every or step else begin)
        if not low <= begin <= end <= high or step == "0":
            raise _not_understood(text, f"'{part}' is not within {low} to {high}")
        found.update(range(begin, end + 1, int(step or 1)))
    return tuple(sorted(found))


def _search(rule: Rule, moment: datetime, *, backwards: bool) -> datetime:
    here = moment.astimezone(UTC)
    for day in _days(here.date(), backwards=backwards):
        if not rule.on(day):
            continue
        for clock in rule.times(backwards=backwards):
            found = datetime.combine(day, clock)
            if found <= here if backwards else found > here:
                return found
    raise LookupError(f"{rule} has no moment near {here}")


def _days(first: date, *, backwards: bool) -> Iterator[date]:
    step = timedelta(days=-1 if backwards else 1)
    return (first + step * number for number in range(_HORIZON.days))


def _not_understood(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"the calendar '{text}' is not understood: {why}",
        hint="write it like '*-*-* 02:00:00', '*:0/15' or 'Mon *-*-* 04:30:00', in UTC; several after semicolons",
    )


def compact(values: Sequence[int], low: int, high: int) -> str:
    """Values as cron and APScheduler write them: `*`, `*/15`, `1-5`, `2,30`."""
    if tuple(values) == tuple(range(low, high + 1)):
        return "*"
    if len(values) > 2:
        step = values[1] - values[0]
        if tuple(values) == tuple(range(low, high + 1, step)) and step > 1:
            return f"*/{step}"
        if tuple(values) == tuple(range(values[0], values[-1] + 1)):
            return f"{values[0]}-{values[-1]}"
    return listed(values)


def listed(values: Iterable[int]) -> str:
    """Values with commas between them."""
    return ",".join(str(value) for value in values)
