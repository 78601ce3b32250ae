"""What a drill of a logical export proved: the body of its record."""

from datetime import datetime

from pydantic import ConfigDict

from backup import layout
from backup.manifest import Phase
from opsctl.core.errors import ExitCode
from opsctl.core.record import Record
from opsctl.core.result import Result, exit_code_of
from restore_drill.published import DrillResult, Published


class ExportDrillBody(DrillResult):
    """The body of a record of kind `export-drill`. Times are UTC, durations in seconds.

    `server_version` is the source's, `loaded_into` that of the server it was loaded into, None when none came up.
    `recovery_time_s` is that of a load into a new server, without the checks; None when it failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        return exit_code_of(self.results)


ExportDrillReport = Record[ExportDrillBody]
EXPORT_DRILLS = Published(kind="export-drill", version=1, model=ExportDrillReport, prefix=layout.export_drills)
