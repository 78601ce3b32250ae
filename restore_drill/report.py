"""What a drill proved: the body of its record, its publication in the repository, and how it is read back."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backup import layout
from backup.catalog import Catalog
from backup.documents import fetch, publish
from backup.manifest import Phase
from opsctl.core.canonical import parse_versioned
from opsctl.core.clock import compact, in_order, new_id
from opsctl.core.errors import ExitCode, IntegrityError, SettingsError
from opsctl.core.record import Record
from opsctl.core.result import Outcome, Result
from opsctl.core.signing import Namespace, Signer
from opsctl.core.store import get
from restore_drill.recovery_point import RecoveryPoint

KIND = "drill"
VERSION = 1


class DrillBody(BaseModel):
    """The body of a record of kind `drill`. Times are UTC, durations in seconds.

    `results` are those of the eight checks in their order, `extra` those of other domains, which never blur 8/8.
    `phases` are all steps that a restore needs, in order: their sum is `recovery_time_s`, the measured recovery time of
    a restore into a scratch server (a full restore also moves data into place). It is None when a step failed.
    `recovery_point` is None when the archive could not be measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    repository: str
    backup_id: str
    backup_finished: datetime | None
    opsctl_version: str
    signer: str
    results: tuple[Result, ...]
    extra: tuple[Result, ...]
    phases: tuple[Phase, ...]
    recovery_time_s: float | None
    recovery_time_objective_s: float
    recovery_point: RecoveryPoint | None
    replayed_to: datetime | None
    notes: tuple[str, ...]

    @property
    def passed(self) -> int:
        """How many of the eight checks passed."""
        return sum(1 for result in self.results if result.passed)

    @property
    def exit_code(self) -> ExitCode:
        """4 if any check failed, else 3 if any could not run, else 0; extra checks count like the eight."""
        outcomes = {result.outcome for result in (*self.results, *self.extra)}
        if Outcome.FAILED in outcomes:
            return ExitCode.FINDINGS
        return ExitCode.PARTIAL if Outcome.COULD_NOT_RUN in outcomes else ExitCode.DONE


DrillReport = Record[DrillBody]


def outcome_of(results: tuple[Result, ...]) -> Outcome:
    """Failed if any check failed, else "could not run" if any could not, else passed."""
    outcomes = {result.outcome for result in results}
    for outcome in (Outcome.FAILED, Outcome.COULD_NOT_RUN):
        if outcome in outcomes:
            return outcome
    return Outcome.PASSED


def new_drill_id(catalog: Catalog, started: datetime) -> str:
    """An id such as `20260501T020000Z-1a2b3c4d`; ids sort by time, also when a clock was set back."""
    return f"{compact(in_order(started, max(_ids(catalog), default=None)))}-{new_id()}"


def publish_drill(catalog: Catalog, signer: Signer, report: DrillReport) -> None:
    """Sign the record and publish it in the stack's repository, where status, layers and rules read it."""
    publish(catalog.store, signer, Namespace.DRILL, _key(catalog, report.body.id), report)


def list_drills(catalog: Catalog) -> list[DrillReport]:
    """All drills of the stack that a trusted machine signed, oldest first. Raises IntegrityError, which names it, for
    one whose signature or form does not hold."""
    return [_read(catalog, drill_id) for drill_id in _ids(catalog)]


def show_drill(catalog: Catalog, drill_id: str) -> DrillReport:
    """Read one drill and verify its signature. Raises SettingsError when there is none of this id, IntegrityError."""
    if drill_id not in _ids(catalog):
        raise SettingsError(f"there is no drill {drill_id}", where=catalog.store.where, hint="opsctl drill list")
    return _read(catalog, drill_id)


def _read(catalog: Catalog, drill_id: str) -> DrillReport:
    key = _key(catalog, drill_id)
    report = parse_versioned(DrillReport, get(catalog.store, key), what=key, version=VERSION)
    fetch(catalog.store, catalog.verifier, Namespace.DRILL, key, at=report.finished)
    if (report.body.id, report.subject, report.kind) != (drill_id, catalog.stack, KIND):
        raise IntegrityError(f"{key} describes another drill: {report.subject}/{report.body.id}")
    return report


def _ids(catalog: Catalog) -> list[str]:
    prefix, end = layout.drills(catalog.stack), ".json"
    keys = [item.key for item in catalog.store.list(prefix)]
    return [key[len(prefix) : -len(end)] for key in keys if key.endswith(end)]


def _key(catalog: Catalog, drill_id: str) -> str:
    return f"{layout.drills(catalog.stack)}{drill_id}.json"
