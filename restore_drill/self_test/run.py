"""The self-test: first a clean drill, which must pass, then one drill for each fault, which must be caught."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import opsctl
from opsctl.core.clock import utcnow
from opsctl.core.result import Outcome
from restore_drill.context import DrillHost
from restore_drill.drill import run_drill
from restore_drill.report import DrillBody
from restore_drill.self_test.copy import Copy, copy_newest, is_unchanged
from restore_drill.self_test.fault import Fault
from restore_drill.self_test.faults import FAULTS, chosen
from restore_drill.self_test.look import Facts, Look
from restore_drill.self_test.model import Model, scratch_host
from restore_drill.self_test.report import KIND, VERSION, FaultResult, SelfTestBody, SelfTestReport
from restore_drill.self_test.trial import Trial
from restore_drill.self_test.workers import in_processes
from restore_drill.workspace import scratch_directory

MOST_WORKERS = 2


def self_test(host: DrillHost, *, only: Sequence[str] = (), workers: int | None = None) -> SelfTestReport:
    """Prove on the newest backup that the drill finds faults; record and return what came of it.

    `only` are ids of faults, by default all; `workers` how many are tried at a time, by default two where there are two
    processors. Everything happens in copies below `drill.scratch_dir`, which needs about
    four times the room of a drill; the repository is only read, and that is verified.
    Raises SettingsError for an unknown fault, OpsError when there is no backup or a drill cannot begin.
    """
    started = utcnow()
    faults = chosen(only)
    with scratch_directory(host.drill.scratch_dir) as root:
        scratch = scratch_host(host, root)
        host.progress.step("copying the newest backup")
        copy = copy_newest(host.catalog, scratch.store)
        host.progress.step("drilling it as it is")
        clean, facts = _clean_drill(scratch, copy)
        results: tuple[FaultResult, ...] = ()
        if clean.passed == len(clean.results):
            model = Model(root, scratch, copy, facts)
            results = tuple(_try(host, model, faults, workers or min(MOST_WORKERS, os.cpu_count() or 1)))
        host.progress.step("verifying that the repository is as it was")
        unchanged = is_unchanged(host.store, copy.objects)
    body = SelfTestBody(
        repository=host.repository,
        backup_id=copy.manifest.id,
        opsctl_version=opsctl.__version__,
        clean=clean.results,
        faults=results,
        complete=len(faults) == len(FAULTS),
        objects=len(copy.objects),
        bytes=sum(found.size for found in copy.objects),
        unchanged=unchanged,
    )
    return _record(host, body, started)


def _clean_drill(scratch: DrillHost, copy: Copy) -> tuple[DrillBody, Facts]:
    look = Look()
    body = run_drill(scratch, backup_id=copy.manifest.id, extra_checks=(look,)).body
    return body, look.facts


def _try(host: DrillHost, model: Model, faults: Sequence[Fault], workers: int) -> Iterator[FaultResult]:
    """Try all faults, and return their results in the order of the faults."""
    order = {fault.id: number for number, fault in enumerate(faults)}
    host.progress.step(f"trying {len(faults)} faults, {min(workers, len(faults))} at a time")
    done: list[FaultResult] = []
    for result in in_processes(Trial(model), list(order), workers):
        done.append(result)
        host.progress.step(f"{len(done)} of {len(faults)} faults tried, the last: {result.title}")
    yield from sorted(done, key=lambda result: order[result.id])


def _record(host: DrillHost, body: SelfTestBody, started: datetime) -> SelfTestReport:
    finished = utcnow()
    fresh = body.outcome is Outcome.PASSED and body.complete
    report = SelfTestReport(
        kind=KIND,
        version=VERSION,
        subject=host.stack,
        started=started,
        finished=finished,
        outcome=body.outcome,
        fresh_until=finished + timedelta(days=host.objectives.drill_days) if fresh else None,
        body=body,
    )
    host.ledger.append(report)
    return report
