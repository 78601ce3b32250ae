"""Results of checks and probes as lines: what is good in one, for everything else what was found and what to type."""

from collections.abc import Iterator, Sequence

from opsctl.cli.output import Painter
from opsctl.cli.table import GAP, WIDTH, wrap
from opsctl.cli.words import OUTCOME_STYLES
from opsctl.core.result import Outcome, Result

_MARKS = {Outcome.PASSED: "ok", Outcome.FAILED: "FAIL", Outcome.COULD_NOT_RUN: "????"}
_MARK_WIDTH = 4


def result_lines(results: Sequence[Result], paint: Painter) -> Iterator[str]:
    """Write a line for what is good, and for everything else what was found and what to type next."""
    said: set[str] = set()
    for result in results:
        yield from _result(result, paint, repeated=result.found in said)
        said.add(result.found)


def tally(passed: int, failed: int, could_not_run: int, paint: Painter) -> str:
    """`12 ok, 1 failed, 2 could not be looked at.`"""
    parts = [f"{passed} ok"]
    if failed:
        parts.append(paint(f"{failed} failed", "red"))
    if could_not_run:
        parts.append(paint(f"{could_not_run} could not be looked at", "yellow"))
    return ", ".join(parts) + "."


def _result(result: Result, paint: Painter, *, repeated: bool) -> Iterator[str]:
    mark = paint(f"{_MARKS[result.outcome]:<{_MARK_WIDTH}}", OUTCOME_STYLES[result.outcome])
    room = WIDTH - _MARK_WIDTH - GAP
    indent = " " * (_MARK_WIDTH + GAP)
    if result.outcome is Outcome.PASSED:
        line = f"{result.title}: {result.found}"
        # What is good takes one line only; the rest is in --json.
        yield f"{mark}{' ' * GAP}{line if len(line) <= room else line[: room - 1] + '…'}"
        return
    if repeated and result.outcome is Outcome.COULD_NOT_RUN:
        yield f"{mark}{' ' * GAP}{result.title}: for the same reason"
        return
    first, *more = wrap(f"{result.title}: {result.found}", room)
    yield f"{mark}{' ' * GAP}{first}"
    for line in more:
        yield indent + line
    for number, line in enumerate(wrap(result.hint or "", room - len("Try: "))):
        yield indent + paint("Try: " if number == 0 else "     ", "cyan") + line
