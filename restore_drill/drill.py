"""The drill: restore a backup into a scratch server, judge it by the checks, publish what was found."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import opsctl
from backup.manifest import Manifest, Phase
from backup.segment import Head
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.result import Outcome, Result, outcome_of
from opsctl.core.room import needing_room
from opsctl.core.store import MissingError
from restore_drill.checks import AFTER_REPLAY, BEFORE_REPLAY, CHECKS
from restore_drill.checks.manifest import EXPECTED, ManifestCheck
from restore_drill.checks.runner import could_not_run, run_check
from restore_drill.checks.tally import one_line
from restore_drill.context import DrillHost
from restore_drill.point import Latest
from restore_drill.recovery_point import RecoveryPoint, measure
from restore_drill.report import DRILLS, DrillBody, DrillReport
from restore_drill.restored import Attempt, Check, Restored, attempt
from restore_drill.steps import open_all, prepare_database, replay_logs, serving
from restore_drill.trust import HeadMemory, check_head
from restore_drill.workspace import workspace


def run_drill(host: DrillHost, *, backup_id: str | None = None, extra_checks: Sequence[Check] = ()) -> DrillReport:
    """Drill a backup, the newest by default; sign, publish and record the result, and return it.

    The scratch directory is gone afterwards, also when interrupted; what a killed drill left, the next one removes.
    Raises SettingsError for a `backup_id` that there is not, and OpsError only when no check could begin: no backup, no
    list of trusted signers, no key to sign the result with, an unreachable store, a scratch directory that cannot be
    made.
    """
    started = utcnow()
    catalog = host.catalog
    backup_id = _newest(host) if backup_id is None else catalog.require(backup_id)
    memory = HeadMemory(host.machine.state_dir, host.stack, host.repository)
    host.signer.check()
    host.progress.step("verifying signatures")
    head = attempt(partial(_head, host, memory))
    point = attempt(partial(_recovery_point, host, started))
    try:
        manifest = catalog.manifest(backup_id)
    except (IntegrityError, MissingError) as error:
        return _finish(host, _Course(started, backup_id, results=_untrusted(error), point=point))
    with needing_room(host.drill.scratch_dir), workspace(host.drill.scratch_dir) as paths:
        restored = Restored(host, catalog, manifest, paths, head_error=head.error)
        restored.follow_parents()
        course = _Course(started, backup_id, point=point, manifest=manifest)
        _go(restored, extra_checks, course)
    if head.value is not None:
        memory.remember(head.value)
    return _finish(host, course)


class _Course:
    """What a drill gathers on its way."""

    def __init__(
        self,
        started: datetime,
        backup_id: str,
        *,
        point: Attempt[RecoveryPoint],
        results: tuple[Result, ...] = (),
        manifest: Manifest | None = None,
    ) -> None:
        self.started = started
        self.backup_id = backup_id
        self.point = point
        self.results = results
        self.manifest = manifest
        self.extra: tuple[Result, ...] = ()
        self.phases: tuple[Phase, ...] = ()
        self.complete = False
        self.replayed_to: datetime | None = None
        self.notes: tuple[str, ...] = ()


def _go(restored: Restored, extra_checks: Sequence[Check], course: _Course) -> None:
    """Restore step by step, with the checks where their subject is there and nothing after it has happened yet."""
    open_all(restored)
    prepare_database(restored)
    with serving(restored):
        before = tuple(_check(check, restored) for check in BEFORE_REPLAY)
        replay_logs(restored, Latest())
        course.results = (*before, _confirmed(_check(AFTER_REPLAY, restored), course.point.value))
        course.extra = tuple(_check(check, restored) for check in extra_checks)
    _time_steps(restored, course)
    if restored.replayed is not None and restored.replayed.value is not None:
        course.replayed_to = restored.replayed.value.heartbeat
        course.notes = restored.replayed.value.warnings


def _time_steps(restored: Restored, course: _Course) -> None:
    """What a restore would have needed: each step's duration, without the checks between them."""
    opened = sum(step.duration_s for step in restored.opened.values())
    phases = [Phase(name="open", duration_s=round(opened, 3))]
    steps = {"prepare": restored.prepared, "start": restored.server, "replay": restored.replayed}
    done = {name: step for name, step in steps.items() if step is not None}
    phases += [Phase(name=name, duration_s=round(step.duration_s, 3)) for name, step in done.items()]
    course.phases = tuple(phases)
    errors = [step.error for step in (*restored.opened.values(), *done.values())]
    course.complete = len(done) == len(steps) and not any(errors)


def _confirmed(result: Result, point: RecoveryPoint | None) -> Result:
    """Check 8's result with the measured recovery point, which is a figure and no verdict."""
    if point is None or point.database_s is None:
        return result
    figures = {**result.figures, "recovery_point_s": point.database_s, "recovery_point_objective_s": point.objective_s}
    return result.model_copy(
        update={"figures": figures, "found": f"{result.found}; measured recovery point {point.database_s:.1f} s"}
    )


def _check(check: Check, restored: Restored) -> Result:
    restored.host.progress.step(f"checking: {check.title}")
    return run_check(check, restored)


def _newest(host: DrillHost) -> str:
    ids = host.catalog.backup_ids()
    if not ids:
        raise OpsError(
            f"there is no backup of {host.stack}", where=host.store.where, hint="run on the host: opsctl backup run"
        )
    return ids[-1]


def _head(host: DrillHost, memory: HeadMemory) -> Head | None:
    return check_head(host.catalog, memory.recall(), host.repository)


def _recovery_point(host: DrillHost, now: datetime) -> RecoveryPoint:
    """Measured since the last drill that can be read; a broken one does not keep the next from being run."""
    since = None
    with suppress(IntegrityError):
        began = [drill.started for drill in DRILLS.all(host.catalog)]
        since = max((moment for moment in began if moment <= now), default=None)
    return measure(host.catalog, since=since, now=now, off_host=host.off_host, objective_min=host.objectives.rpo_min)


def _untrusted(error: OpsError) -> tuple[Result, ...]:
    """The results when the manifest is not to be believed: nothing it names is opened."""
    hint = error.hint or "do not use this backup until you know who changed it; drill another one: --backup ID"
    results = {
        check.id: could_not_run(check, "the manifest is not to be believed: see check 2", None) for check in CHECKS
    }
    results[ManifestCheck.id] = Result(
        id=ManifestCheck.id,
        title=ManifestCheck.title,
        outcome=Outcome.FAILED,
        expected=EXPECTED,
        found=one_line(error),
        hint=hint,
    )
    return tuple(results.values())


def _finish(host: DrillHost, course: _Course) -> DrillReport:
    """Write what was found into the ledger and publish it, signed."""
    body = DrillBody(
        id=DRILLS.new_id(host.catalog, course.started),
        repository=host.repository,
        backup_id=course.backup_id,
        backup_finished=course.manifest.finished if course.manifest else None,
        opsctl_version=opsctl.__version__,
        signer=host.trust.signer,
        results=course.results,
        extra=course.extra,
        phases=course.phases,
        recovery_time_s=round(sum(phase.duration_s for phase in course.phases), 3) if course.complete else None,
        recovery_time_objective_s=host.objectives.rto_min * 60,
        recovery_point=course.point.value,
        replayed_to=course.replayed_to,
        notes=course.notes,
    )
    return DRILLS.finish(host, body, outcome_of((*course.results, *course.extra)), course.started)
