"""What a drill proved: the body of its record."""

from datetime import datetime

from pydantic import ConfigDict

from backup import layout
from backup.manifest import Phase
from opsctl.core.errors import ExitCode
from opsctl.core.record import Record
from opsctl.core.result import Result, exit_code_of
from restore_drill.published import DrillResult, Published
from restore_drill.recovery_point import RecoveryPoint


class DrillBody(DrillResult):
    """The body of a record of kind `drill`. Times are UTC, durations in seconds.

    `results` are those of the eight checks in their order, `extra` those of other domains, which never blur 8/8.
    `phases` are all steps that a restore needs, in order: their sum is `recovery_time_s`, the measured recovery time of
    a restore into a scratch server (a full restore also moves data into place). It is None when a step failed.
    `recovery_point` is None when the archive could not be measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        return exit_code_of((*self.results, *self.extra))


DrillReport = Record[DrillBody]
DRILLS = Published(kind="drill", version=1, model=DrillReport, prefix=layout.drills)
