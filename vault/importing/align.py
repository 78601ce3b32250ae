"""Finds which messages of an export the archive has already, and where the others belong.

Only messages of the same wall-clock time are ever compared. Of equal ones the first meets the first, the second the
second, so that a message sent twice is there twice, and an export that begins between the two adds nothing.
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from opsctl.core.errors import OpsError
from vault.whatsapp.message import Kind

STEP = 1 << 32
_OTHER: dict[str, str] = {Kind.MEDIA: Kind.OMITTED, Kind.OMITTED: Kind.MEDIA}


@dataclass(frozen=True, slots=True)
class Known:
    """A message in the archive. `used`: this import has met it already."""

    id: int
    digest: bytes
    occurrence: int
    place: int
    sender: str | None
    kind: str
    used: bool


class Incoming(NamedTuple):
    """A message of the export."""

    line: int
    digest: bytes
    sender: str | None
    kind: str


class Placed(NamedTuple):
    """What became of an incoming message: the id of the one it is, or the place and occurrence of a new one."""

    line: int
    known: int | None
    place: int
    occurrence: int


def align(known: Sequence[Known], incoming: Sequence[Incoming]) -> list[Placed]:
    """Place incoming messages of one time, in the export's order, among those that are there, in theirs."""
    if not known:
        return _fresh(incoming)
    met = _match(known, incoming)
    occurrences: dict[bytes, int] = defaultdict(int)
    for each in known:
        occurrences[each.digest] = max(occurrences[each.digest], each.occurrence)
    places = sorted(each.place for each in known)
    placed: list[Placed] = []
    waiting: list[Incoming] = []
    last = max((each.place for each in known if each.used), default=0)
    for message in incoming:
        found = met.get(message.line)
        if found is None:
            waiting.append(message)
            continue
        last = _flush(placed, waiting, last, places, occurrences)
        placed.append(Placed(message.line, found.id, found.place, found.occurrence))
        last = max(last, found.place)
    _flush(placed, waiting, last, places, occurrences)
    return placed


def _fresh(incoming: Iterable[Incoming]) -> list[Placed]:
    occurrences: dict[bytes, int] = defaultdict(int)
    placed = []
    for number, message in enumerate(incoming, 1):
        occurrences[message.digest] += 1
        placed.append(Placed(message.line, None, number * STEP, occurrences[message.digest]))
    return placed


def _match(known: Sequence[Known], incoming: Sequence[Incoming]) -> dict[int, Known]:
    """Which message is which, by line: equal ones first; then files that one of the two exports left out."""
    met: dict[int, Known] = {}
    free = [each for each in known if not each.used]
    equal: dict[bytes, deque[Known]] = defaultdict(deque)
    for each in free:
        equal[each.digest].append(each)
    for message in incoming:
        if equal[message.digest]:
            met[message.line] = equal[message.digest].popleft()
    taken = {each.id for each in met.values()}
    files: dict[tuple[str, str | None], deque[Known]] = defaultdict(deque)
    for each in free:
        if each.id not in taken and each.kind in _OTHER:
            files[each.kind, each.sender].append(each)
    for message in incoming:
        if message.line not in met and message.kind in _OTHER:
            candidates = files[_OTHER[message.kind], message.sender]
            if candidates:
                met[message.line] = candidates.popleft()
    return met


def _flush(
    placed: list[Placed],
    waiting: list[Incoming],
    last: int,
    places: list[int],
    occurrences: dict[bytes, int],
) -> int:
    """Give places to new messages directly behind `last`; return the place of the last one."""
    if not waiting:
        return last
    behind = bisect_right(places, last)
    step = STEP if behind == len(places) else (places[behind] - last) // (len(waiting) + 1)
    if step < 1:
        raise OpsError(f"there is no more room between two messages for the one in line {waiting[0].line}")
    for message in waiting:
        last += step
        occurrences[message.digest] += 1
        placed.append(Placed(message.line, None, last, occurrences[message.digest]))
    waiting.clear()
    return last
