"""One fault, tried: made on a bench of its own, drilled by the ordinary drill, and judged by which checks failed."""

import secrets
import time
from dataclasses import dataclass

from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome
from opsctl.core.room import says_full
from restore_drill.checks.tally import one_line, sentence
from restore_drill.drill import run_drill
from restore_drill.report import DrillBody
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import SANDBOX, Fault, InapplicableError
from restore_drill.self_test.faults import chosen
from restore_drill.self_test.model import Model
from restore_drill.self_test.report import FaultResult, Verdict
from restore_drill.workspace import remove_tree


@dataclass(frozen=True)
class Trial:
    """Tries faults on one model; it and its arguments can be handed to another process."""

    model: Model

    def __call__(self, fault_id: str) -> FaultResult:
        """Make the fault, drill, judge, clean up."""
        [fault] = chosen([fault_id])
        started = time.monotonic()
        directory = self.model.root / "benches" / f"{fault.id}-{secrets.token_hex(4)}"
        try:
            bench = Bench(self.model, directory)
            with bench.closing:
                fault.make(bench)
                body = run_drill(bench.drill_host(), backup_id=bench.manifest.id, extra_checks=bench.extra_checks).body
        except InapplicableError as error:
            return _untried(fault, Verdict.INAPPLICABLE, error, time.monotonic() - started)
        except OpsError as error:
            return _untried(fault, Verdict.COULD_NOT_RUN, error, time.monotonic() - started)
        finally:
            remove_tree(directory)
        return judged(fault, body, time.monotonic() - started)


def judged(fault: Fault, body: DrillBody, duration_s: float) -> FaultResult:
    """What a drill says of a fault. One for which there was no room on the disk has shown nothing."""
    results = {result.id: result for result in (*body.results, *body.extra)}
    by_outcome = {
        outcome: tuple(result.id for result in results.values() if result.outcome is outcome) for outcome in Outcome
    }
    failed = by_outcome[Outcome.FAILED]
    said = [result.found for result in results.values() if result.outcome is Outcome.FAILED]
    if fault.expected == SANDBOX:
        evidence = results.get(SANDBOX)
        stopped = evidence is not None and evidence.passed and not failed
        verdict = Verdict.CAUGHT if stopped else Verdict.ELSEWHERE if failed else Verdict.MISSED
        caught_by = (SANDBOX,) if stopped else failed
        said = [evidence.found] if evidence is not None else said
    else:
        verdict = Verdict.CAUGHT if failed == (fault.expected,) else Verdict.ELSEWHERE if failed else Verdict.MISSED
        caught_by = failed
    unable = [result.found for result in results.values() if result.outcome is Outcome.COULD_NOT_RUN]
    full = [found for found in unable if says_full(found)]
    if verdict is Verdict.MISSED and full:
        verdict, said = Verdict.COULD_NOT_RUN, full
    return FaultResult(
        id=fault.id,
        family=fault.family,
        title=fault.title,
        expected=fault.expected,
        verdict=verdict,
        caught_by=caught_by,
        could_not_run=by_outcome[Outcome.COULD_NOT_RUN],
        passed=by_outcome[Outcome.PASSED],
        found=sentence(said) or "no check failed",
        duration_s=round(duration_s, 3),
    )


def _untried(fault: Fault, verdict: Verdict, error: OpsError, duration_s: float) -> FaultResult:
    return FaultResult(
        id=fault.id,
        family=fault.family,
        title=fault.title,
        expected=fault.expected,
        verdict=verdict,
        caught_by=(),
        could_not_run=(),
        passed=(),
        found=one_line(error),
        duration_s=round(duration_s, 3),
    )
