"""Runs checks: times them, and turns what kept one from looking into "could not run"."""

import time

from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome, Result
from restore_drill.checks.tally import SEE_OTHERS, one_line
from restore_drill.restored import Check, Restored


def run_check(check: Check, restored: Restored) -> Result:
    """Run one check and keep its result in `restored.results`; whatever the check raises is a defect."""
    started = time.monotonic()
    try:
        result = check.run(restored)
    except OpsError as error:
        result = could_not_run(check, one_line(error), error.hint)
    result = result.model_copy(update={"duration_s": round(time.monotonic() - started, 3)})
    restored.results[result.id] = result
    return result


def could_not_run(check: Check, why: str, hint: str | None) -> Result:
    """The result of a check that never looked."""
    return Result(
        id=check.id,
        title=check.title,
        outcome=Outcome.COULD_NOT_RUN,
        expected="the restore reaches the point at which this can be looked at",
        found=why,
        hint=hint or SEE_OTHERS,
    )
