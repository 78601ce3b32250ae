"""The drill of a logical export: load it into a new server of the installed version, and hold that against it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import opsctl
from backup.logical.catalog import export_asked_for, read_export
from backup.logical.document import Dump, Export
from backup.manifest import Phase
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.result import Outcome, Result, outcome_of
from opsctl.core.room import needing_room
from opsctl.core.store import MissingError
from restore_drill.checks.tally import one_line
from restore_drill.context import DrillHost
from restore_drill.exports import checks
from restore_drill.exports.load import drop_accounts, load, make_datadir, make_keys, new_server
from restore_drill.exports.report import EXPORT_DRILLS, ExportDrillBody, ExportDrillReport
from restore_drill.paths import ScratchPaths
from restore_drill.restored import Attempt, attempt
from restore_drill.scratch import ScratchServer
from restore_drill.workspace import workspace

_UNTRUSTED = "do not use this export until you know who changed it; drill another one: --export ID"


@dataclass
class _Course:
    """What a drill gathers on its way."""

    started: datetime
    export_id: str
    export: Export | None = None
    results: dict[str, Result] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    loaded_into: str | None = None
    complete: bool = False

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the block."""
        began = time.monotonic()
        yield
        self.phases.append(Phase(name=name, duration_s=round(time.monotonic() - began, 3)))


def run_export_drill(host: DrillHost, name: str) -> ExportDrillReport:
    """Drill the export of this id, or the `latest`; sign, publish and record the result, and return it.

    Raises OpsError only when no check could begin: no export, no list of trusted signers, no key to sign the result
    with, an unreachable store, a scratch directory that cannot be made.
    """
    host.signer.check()
    course = _Course(utcnow(), export_asked_for(host.catalog, name))
    host.progress.step("verifying the signature")
    try:
        course.export = export = read_export(host.catalog, course.export_id)
    except (IntegrityError, MissingError) as error:
        course.results[checks.DOCUMENT.id] = _failed(checks.DOCUMENT, checks.DOCUMENT_EXPECTED, one_line(error))
        return _finish(host, course)
    _note(course, checks.judge_document(host, export), 0.0)
    with needing_room(host.drill.scratch_dir), workspace(host.drill.scratch_dir) as paths:
        _go(host, export, paths, course)
    return _finish(host, course)


def _go(host: DrillHost, export: Export, paths: ScratchPaths, course: _Course) -> None:
    """Load, then judge; whatever keeps a check from being run leaves it as one that could not."""
    server = new_server(host, export, paths)
    try:
        with course.phase("start"):
            begin(host, export, paths, server)
        course.loaded_into = str(server.query("SELECT VERSION() AS version")[0]["version"])
        with course.phase("load"):
            loaded = load_all(host, export, server)
        course.complete = not any(each.error for each in loaded.values())
        opened = sum(each.duration_s for each in loaded.values())
        _note(course, checks.judge_decrypt(loaded), opened)
        _note(course, checks.judge_load(loaded, course.loaded_into), opened)
        with checks.asking(server) as ask:
            for check, judge in checks.every_check(export, ask, server.admin).items():
                host.progress.step(f"checking: {check.title}")
                began = time.monotonic()
                _note(course, judge(), time.monotonic() - began)
    except OpsError as error:
        for check in checks.CHECKS:
            course.results.setdefault(check.id, _could_not(check, one_line(error), error.hint))
    finally:
        server.kill()


def begin(host: DrillHost, export: Export, paths: ScratchPaths, server: ScratchServer) -> None:
    """Bring a new, empty server up. Raises OpsError."""
    host.progress.step("making a new database server")
    make_datadir(paths)
    make_keys(paths, export)
    server.start()
    drop_accounts(server)


def load_all(host: DrillHost, export: Export, server: ScratchServer) -> dict[str, Attempt[bool]]:
    """Load all archives in their order, each one whatever became of those before; what each came to, by name."""
    deadline = time.monotonic() + host.drill.timeout_s
    loaded = {}
    for dump in export.dumps:
        host.progress.step(f"loading {dump.name}", total_bytes=dump.sealed.cipher_size)
        loaded[dump.name] = attempt(partial(_load, host, export, dump, server, deadline))
    return loaded


def _load(host: DrillHost, export: Export, dump: Dump, server: ScratchServer, deadline: float) -> bool:
    load(host, export, dump, server, timeout_s=max(1.0, deadline - time.monotonic()))
    return True


def _note(course: _Course, result: Result, duration_s: float) -> None:
    course.results[result.id] = result.model_copy(update={"duration_s": round(duration_s, 3)})


def _failed(check: checks.Named, expected: str, found: str) -> Result:
    return Result(
        id=check.id, title=check.title, outcome=Outcome.FAILED, expected=expected, found=found, hint=_UNTRUSTED
    )


def _could_not(check: checks.Named, why: str, hint: str | None) -> Result:
    return Result(
        id=check.id,
        title=check.title,
        outcome=Outcome.COULD_NOT_RUN,
        expected="the load reaches the point at which this can be looked at",
        found=why,
        hint=hint or "look at the other checks: one of them says why",
    )


def _finish(host: DrillHost, course: _Course) -> ExportDrillReport:
    """Write what was found into the ledger and publish it, signed."""
    results = _in_order(course)
    export = course.export
    body = ExportDrillBody(
        id=EXPORT_DRILLS.new_id(host.catalog, course.started),
        repository=host.repository,
        export_id=course.export_id,
        snapshot=export.snapshot if export else None,
        server_version=export.server_version if export else None,
        loaded_into=course.loaded_into,
        opsctl_version=opsctl.__version__,
        signer=host.trust.signer,
        results=results,
        phases=tuple(course.phases),
        recovery_time_s=round(sum(phase.duration_s for phase in course.phases), 3) if course.complete else None,
    )
    return EXPORT_DRILLS.finish(host, body, outcome_of(results), course.started)


def _in_order(course: _Course) -> tuple[Result, ...]:
    why = "the document is not to be believed: see the first check"
    found: Sequence[Result] = [
        course.results.get(check.id) or _could_not(check, why, _UNTRUSTED) for check in checks.CHECKS
    ]
    return tuple(found)
