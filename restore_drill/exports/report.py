"""What a drill of a logical export proved: the body of its record, its publication, and how it is read back."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backup import layout
from backup.catalog import Catalog
from backup.documents import fetch, publish
from backup.manifest import Phase
from opsctl.core.canonical import parse_versioned
from opsctl.core.clock import compact, in_order, new_id
from opsctl.core.errors import ExitCode, IntegrityError, OpsError
from opsctl.core.record import Record
from opsctl.core.result import Outcome, Result
from opsctl.core.signing import Namespace, Signer
from opsctl.core.store import get

KIND = "export-drill"
VERSION = 1


class ExportDrillBody(BaseModel):
    """The body of a record of kind `export-drill`. Times are UTC, durations in seconds.

    `server_version` is the source's, `loaded_into` that of the server it was loaded into, None when none came up.
    `recovery_time_s` is that of a load into a new server, without the checks; None when it failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    repository: str
    export_id: str
    snapshot: datetime | None
    server_version: str | None
    loaded_into: str | None
    opsctl_version: str
    signer: str
    results: tuple[Result, ...]
    phases: tuple[Phase, ...]
    recovery_time_s: float | None

    @property
    def passed(self) -> int:
        """How many checks passed."""
        return sum(1 for result in self.results if result.passed)

    @property
    def exit_code(self) -> ExitCode:
        """4 if any check failed, else 3 if any could not run, else 0."""
        outcomes = {result.outcome for result in self.results}
        if Outcome.FAILED in outcomes:
            return ExitCode.FINDINGS
        return ExitCode.PARTIAL if Outcome.COULD_NOT_RUN in outcomes else ExitCode.DONE


ExportDrillReport = Record[ExportDrillBody]


def new_export_drill_id(catalog: Catalog, started: datetime) -> str:
    """An id such as `20260501T020000Z-1a2b3c4d`; ids sort by time, also when a clock was set back."""
    return f"{compact(in_order(started, max(_ids(catalog), default=None)))}-{new_id()}"


def publish_export_drill(catalog: Catalog, signer: Signer, report: ExportDrillReport) -> None:
    """Sign the record and publish it in the stack's repository."""
    publish(catalog.store, signer, Namespace.DRILL, _key(catalog, report.body.id), report)


def list_export_drills(catalog: Catalog) -> list[ExportDrillReport]:
    """All of the stack that a trusted machine signed, oldest first. Raises IntegrityError, which names it, for one
    whose signature or form does not hold."""
    return [show_export_drill(catalog, drill_id) for drill_id in _ids(catalog)]


def is_export_drill(catalog: Catalog, drill_id: str) -> bool:
    """Whether an id is that of a drill of an export."""
    return drill_id in _ids(catalog)


def show_export_drill(catalog: Catalog, drill_id: str) -> ExportDrillReport:
    """Read one and verify its signature. Raises OpsError when there is none of this id, IntegrityError."""
    key = _key(catalog, drill_id)
    if catalog.store.stat(key) is None:
        raise OpsError(f"there is no drill {drill_id}", where=catalog.store.where, hint="run: opsctl drill list")
    report = parse_versioned(ExportDrillReport, get(catalog.store, key), what=key, version=VERSION)
    fetch(catalog.store, catalog.verifier, Namespace.DRILL, key, at=report.finished)
    if (report.body.id, report.subject, report.kind) != (drill_id, catalog.stack, KIND):
        raise IntegrityError(f"{key} describes another drill: {report.subject}/{report.body.id}")
    return report


def _ids(catalog: Catalog) -> list[str]:
    prefix, end = layout.export_drills(catalog.stack), ".json"
    keys = [item.key for item in catalog.store.list(prefix)]
    return [key[len(prefix) : -len(end)] for key in keys if key.endswith(end)]


def _key(catalog: Catalog, drill_id: str) -> str:
    return f"{layout.export_drills(catalog.stack)}{drill_id}.json"
