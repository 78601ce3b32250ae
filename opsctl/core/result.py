"""What checks and probes return."""

from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

from opsctl.core.errors import ExitCode


class Outcome(StrEnum):
    """How a check ended. "Could not run" is a result of its own and never a pass."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_RUN = "could_not_run"


class Result(BaseModel):
    """The result of one check or probe.

    `expected` and `found` are sentences for a person; `figures` are the numbers behind them, with their unit in the
    name (`bytes`, `_s`); `hint` says what to do next when it did not pass; `duration_s` is in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    outcome: Outcome
    expected: str
    found: str
    figures: dict[str, JsonValue] = {}
    hint: str | None = None
    duration_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the thing looked at is as it should be."""
        return self.outcome is Outcome.PASSED


def outcome_of(results: Iterable[Result]) -> Outcome:
    """All together: failed if any failed, else "could not run" if any could not, else passed."""
    outcomes = {result.outcome for result in results}
    return next((each for each in (Outcome.FAILED, Outcome.COULD_NOT_RUN) if each in outcomes), Outcome.PASSED)


def exit_code_of(results: Iterable[Result]) -> ExitCode:
    """4 if any failed, else 3 if any could not run, else 0."""
    return _EXIT_CODES[outcome_of(results)]


_EXIT_CODES = {
    Outcome.PASSED: ExitCode.DONE,
    Outcome.FAILED: ExitCode.FINDINGS,
    Outcome.COULD_NOT_RUN: ExitCode.PARTIAL,
}
