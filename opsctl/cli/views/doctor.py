"""The answer of `opsctl doctor`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from opsctl.cli.output import Document, Painter
from opsctl.cli.views.results import result_lines, tally
from opsctl.core.result import Outcome, Result


class Doctor(Document):
    """What every probe found on this machine."""

    kind: Literal["doctor"] = "doctor"
    place: str
    results: tuple[Result, ...]
    passed: int
    failed: int
    could_not_run: int


def examined(place: str, results: Sequence[Result]) -> Doctor:
    """Collect and count."""
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return Doctor(
        place=place,
        results=tuple(results),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        could_not_run=counts[Outcome.COULD_NOT_RUN],
    )


def text(document: Doctor, paint: Painter) -> Iterator[str]:
    """Write the results and their number."""
    yield from result_lines(document.results, paint)
    yield ""
    yield tally(document.passed, document.failed, document.could_not_run, paint)
