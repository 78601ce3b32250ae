"""Turns the lines of an export into messages, one at a time."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from datetime import date as day
from zoneinfo import ZoneInfo

from opsctl.core.errors import OpsError
from vault.whatsapp.bodies import classify, split_sender
from vault.whatsapp.lines import Line
from vault.whatsapp.message import Kind, Leftover, Message
from vault.whatsapp.stamp import Stamp, read_stamp
from vault.whatsapp.survey import Survey, day_of

MAX_BODY = 4 << 20


def parse(lines: Iterable[Line], found: Survey, zone: ZoneInfo) -> Iterator[Message | Leftover]:
    """Read all messages of an export that `survey` has looked at; every line is in a message or a Leftover, or both.

    Times are wall-clock times of `zone`; of an hour that the clock shows twice, the second begins where the times
    go back. Raises OpsError for a message of more than 4 MiB.
    """
    clock = _Clock(found, zone)
    start: tuple[int, datetime, str] | None = None
    more: list[str] = []
    size = 0
    for line in lines:
        if line.bad is not None:
            yield Leftover(line.number, line.bad, "these bytes are no text; the message has marks in their place")
        stamp = read_stamp(line.text)
        sent = clock.read(stamp, line.number) if stamp is not None else None
        if stamp is not None and sent is not None:
            if start is not None:
                yield _message(start, more, found)
            start, more, size = (line.number, sent, stamp.rest), [], 0
        elif start is None:
            if line.bad is None:
                yield Leftover(line.number, line.text.encode(), "it stands before the first message")
        else:
            if line.bad is None and stamp is not None and stamp.shape == found.shape:
                yield Leftover(line.number, line.text.encode(), "it looks like a message of another day; kept as text")
            more.append(line.text)
            size += len(line.text)
            if size > MAX_BODY:
                raise OpsError(f"the message in line {start[0]} is longer than 4 MiB; no chat has such")
    if start is not None:
        yield _message(start, more, found)


class _Clock:
    """Turns times as written into moments."""

    def __init__(self, found: Survey, zone: ZoneInfo) -> None:
        self._found = found
        self._zone = zone
        self._days: dict[tuple[int, int, int], int | None] = {}
        self._last = datetime.min.replace(tzinfo=UTC)
        self._hour = (0, 0)
        self._base = self._last
        self._steady = True

    def read(self, stamp: Stamp, line: int) -> datetime | None:
        """The moment of a message; None when the line is none."""
        if stamp.shape != self._found.shape or line in self._found.pasted:
            return None
        if stamp.date not in self._days:
            self._days[stamp.date] = day_of(stamp.date, self._found.order)
        ordinal = self._days[stamp.date]
        if ordinal is None:
            return None
        minute, second = divmod(stamp.second, 60)
        hour, minute = divmod(minute, 60)
        if self._hour != (ordinal, hour):
            self._enter(ordinal, hour)
        sent = self._base.replace(minute=minute, second=second)
        if not self._steady:
            sent = self._told_apart(sent)
        self._last = sent
        return sent

    def _enter(self, ordinal: int, hour: int) -> None:
        """Begin another hour; it is steady when the clock shows it once."""
        self._hour = (ordinal, hour)
        self._base = datetime.combine(day.fromordinal(ordinal), time(hour), self._zone)
        edges = (self._base, self._base.replace(minute=59, second=59))
        self._steady = len({edge.replace(fold=fold).utcoffset() for edge in edges for fold in (0, 1)}) == 1

    def _told_apart(self, sent: datetime) -> datetime:
        """The earlier of two moments with the same time, unless the message before was later."""
        later = sent.replace(fold=1)
        ambiguous = sent.utcoffset() != later.utcoffset()
        if ambiguous and sent.astimezone(UTC) < self._last.astimezone(UTC) <= later.astimezone(UTC):
            return later
        return sent


def _message(start: tuple[int, datetime, str], more: list[str], found: Survey) -> Message:
    line, sent, rest = start
    sender, first = split_sender(rest, spaced_colon=found.spaced_colon)
    body = "\n".join((first, *more)) if more else first
    if sender is None:
        return Message(line, sent, None, Kind.SYSTEM, body)
    kind, attachment = classify(body)
    if attachment is not None and len(attachment) > 255:
        kind, attachment = Kind.TEXT, None
    return Message(line, sent, sender, kind, body, attachment)
