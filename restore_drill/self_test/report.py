"""What a self-test proved: the body of its record."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from opsctl.core.errors import ExitCode
from opsctl.core.record import Record
from opsctl.core.result import Outcome, Result

KIND = "self-test"
VERSION = 1


class Verdict(StrEnum):
    """What came of a fault. `elsewhere`: checks failed, but not the expected one alone. `inapplicable`: the stack has
    nothing of the kind that it would damage. `could_not_run`: it could not be made, or no check could begin."""

    CAUGHT = "caught"
    ELSEWHERE = "elsewhere"
    MISSED = "missed"
    INAPPLICABLE = "inapplicable"
    COULD_NOT_RUN = "could_not_run"


class FaultResult(BaseModel):
    """One fault: the id of the check that had to fail, and those of the checks that failed, could not run and passed.

    A hostile fault damages nothing: no check may fail, and `sandbox` is expected to show that it was stopped. `found`
    says what the check said, or why the fault could not be made; `duration_s` is in seconds, the drill included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    family: str
    title: str
    expected: str
    verdict: Verdict
    caught_by: tuple[str, ...]
    could_not_run: tuple[str, ...]
    passed: tuple[str, ...]
    found: str
    duration_s: float


class SelfTestBody(BaseModel):
    """The body of a record of kind `self-test`.

    `clean` are the results of the eight checks on the backup as it is: unless all pass, no fault is tried. `complete`:
    whether every fault that is known was asked for. `objects` of the repository were copied, `bytes` in all, and
    `unchanged` says that afterwards each had the same SHA-256 as before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    backup_id: str
    opsctl_version: str
    clean: tuple[Result, ...]
    faults: tuple[FaultResult, ...]
    complete: bool
    objects: int
    bytes: int
    unchanged: bool

    @property
    def clean_passed(self) -> bool:
        """Whether the backup as it is raises nothing."""
        return all(result.passed for result in self.clean)

    @property
    def outcome(self) -> Outcome:
        """Passed when the clean drill did, every fault was caught by its check alone, and nothing was changed."""
        verdicts = {fault.verdict for fault in self.faults}
        if not self.clean_passed or not self.unchanged or verdicts & {Verdict.MISSED, Verdict.ELSEWHERE}:
            return Outcome.FAILED
        return Outcome.COULD_NOT_RUN if Verdict.COULD_NOT_RUN in verdicts else Outcome.PASSED

    @property
    def exit_code(self) -> ExitCode:
        """0 when it passed, 3 when a fault could not be tried, else 4."""
        return {
            Outcome.PASSED: ExitCode.DONE,
            Outcome.COULD_NOT_RUN: ExitCode.PARTIAL,
            Outcome.FAILED: ExitCode.FINDINGS,
        }[self.outcome]


SelfTestReport = Record[SelfTestBody]
