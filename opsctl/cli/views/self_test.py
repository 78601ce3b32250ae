"""Answers of `opsctl drill self-test`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import WIDTH, Cell, table, wrap
from opsctl.cli.views.drill import check_text
from opsctl.cli.words import OUTCOME_WORDS, seconds, size
from opsctl.core.words import counted
from restore_drill.self_test.fault import SANDBOX, Fault
from restore_drill.self_test.report import FaultResult, SelfTestBody, SelfTestReport, Verdict

_STYLES = {
    Verdict.CAUGHT: "green",
    Verdict.ELSEWHERE: "red",
    Verdict.MISSED: "red",
    Verdict.INAPPLICABLE: "dim",
    Verdict.COULD_NOT_RUN: "yellow",
}
_WORDS = {
    Verdict.MISSED: "no check",
    Verdict.INAPPLICABLE: "does not apply",
    Verdict.COULD_NOT_RUN: "could not run",
}


class DrillSelfTest(Document):
    """A self-test that was just run, as it was recorded."""

    kind: Literal["drill-self-test"] = "drill-self-test"
    report: SelfTestReport


class FaultRow(BaseModel):
    """A fault that can be made: `title` ends the sentence "what if"; `expected` is the check that has to fail."""

    id: str
    family: str
    title: str
    expected: str


class DrillFaults(Document):
    """All faults that a self-test makes."""

    kind: Literal["drill-faults"] = "drill-faults"
    faults: tuple[FaultRow, ...]


def listed(faults: Sequence[Fault]) -> DrillFaults:
    """Collect."""
    rows = (FaultRow(id=each.id, family=each.family, title=each.title, expected=each.expected) for each in faults)
    return DrillFaults(faults=tuple(rows))


def list_text(document: DrillFaults, paint: Painter) -> Iterator[str]:
    """Write a table."""
    rows = [(row.id, row.family, row.title, row.expected) for row in document.faults]
    yield from table(("fault", "made", "what if", "expected"), rows, paint)
    yield paint(counted(len(rows), "fault"), "dim")


def report_text(report: SelfTestReport, paint: Painter) -> Iterator[str]:
    """Write a table of faults, what went wrong with some, and the sum."""
    body = report.body
    yield paint("Self-test", "bold") + f" on backup {body.backup_id}"
    yield ""
    if body.clean_passed:
        rows = [_row(each) for each in body.faults]
        yield from table(("fault", "expected", "caught by", "time"), rows, paint)
    else:
        yield from _clean_text(body, paint)
    yield ""
    for fault in body.faults:
        if fault.verdict is not Verdict.CAUGHT or fault.expected == SANDBOX:
            yield from _found(fault, paint)
    took = seconds((report.finished - report.started).total_seconds())
    for line in wrap(f"{_sum(body)} It took {took}.", WIDTH):
        yield paint(line, "red" if body.exit_code else "green")
    for line in wrap(_touched(body), WIDTH):
        yield paint(line, "dim" if body.unchanged else "red")


def _row(result: FaultResult) -> tuple[Cell | str, ...]:
    caught = _WORDS.get(result.verdict) or ", ".join(result.caught_by)
    time = Cell(seconds(result.duration_s), "dim", right=True)
    return result.id, result.expected, Cell(caught, _STYLES[result.verdict]), time


def _clean_text(body: SelfTestBody, paint: Painter) -> Iterator[str]:
    width = max(len(OUTCOME_WORDS[result.outcome]) for result in body.clean)
    for number, result in enumerate(body.clean, start=1):
        yield from check_text(str(number), result, width, paint)


def _found(fault: FaultResult, paint: Painter) -> Iterator[str]:
    """What was found of a fault that was not caught as it has to be, or what a hostile one came to."""
    first, *more = wrap(f"{fault.id}: {fault.title}: {fault.found}", WIDTH)
    yield first.replace(fault.id, paint(fault.id, _STYLES[fault.verdict]), 1)
    yield from (*more, "")


def _sum(body: SelfTestBody) -> str:
    if not body.clean_passed:
        return "The drill of the backup as it is did not pass, so no fault was tried."
    caught = sum(fault.verdict is Verdict.CAUGHT for fault in body.faults)
    apply = sum(fault.verdict is not Verdict.INAPPLICABLE for fault in body.faults)
    return f"{caught} of {counted(apply, 'fault')} caught, each by the check that has to see it."


def _touched(body: SelfTestBody) -> str:
    copied = f"{counted(body.objects, 'object')} ({size(body.bytes)})"
    if body.unchanged:
        return f"The repository was only read: {copied} have the same SHA-256 as before."
    return f"The repository is not as it was: of {copied}, some have changed or are gone."
