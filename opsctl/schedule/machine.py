"""What the schedule has to know of the machine: which jobs are its own, and how each of them runs here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opsctl.core.errors import SettingsError
from opsctl.core.job import Job
from opsctl.core.settings_mistakes import nearest
from opsctl.schedule.calendar import Calendar, parse
from opsctl.schedule.settings import JobSection, ScheduleSection
from opsctl.schedule.table import REPOSITORY, ROWS, Need, Place, Row, Secret

_NEEDS: dict[Need, str] = {
    "copies": "a second repository",
    "exports": "database.export_user",
    "repository": "[[repositories]]",
    "retention": "[retention]: nothing is deleted by itself unless they say what is kept",
    "certificates": "[[visits]] by https",
}
PLACES = {"host": "the host", "drill_host": "the drill host", "operator": "the operator's machine"}


@dataclass(frozen=True)
class Machine:
    """This machine, as its settings have it.

    `program` is what starts opsctl and `config` the settings it is given; `has` is what the settings have; `secrets`
    are files, `writes` directories. `repository` is the name of the first repository.
    """

    program: Path
    config: Path
    stack: str
    place: Literal["host", "drill_host", "operator", "all"]
    state_dir: Path
    lock_dir: Path
    has: frozenset[Need]
    secrets: Mapping[Secret, tuple[Path, ...]]
    writes: Mapping[Place, tuple[Path, ...]]
    repository: str = ""


@dataclass(frozen=True)
class Planned:
    """A job of this machine: its row in the table, changed as the settings say; `delay_s` is in seconds."""

    row: Row
    job: Job
    calendar: Calendar
    delay_s: float
    user: str
    enabled: bool


def planned(machine: Machine, section: ScheduleSection, jobs: Sequence[JobSection]) -> tuple[Planned, ...]:
    """The jobs of this machine, in the order of the table. Raises SettingsError for settings of jobs there are none of.

    A job of another place is not among them, nor one that does what the settings do not have; what the settings say of
    such a one is a mistake.
    """
    told = {each.name: each for each in jobs}
    if len(told) != len(jobs):
        raise SettingsError("two [[jobs]] have one name", hint="opsctl schedule list")
    for name in told:
        require_here(machine, row_named(name))
    here = [row for row in ROWS if why_not_here(machine, row) is None]
    return tuple(_with(machine, row, section, told.get(row.job.name)) for row in here)


def find(plan: Sequence[Planned], machine: Machine, name: str) -> Planned:
    """The planned job of that name. Raises SettingsError when there is none, or it belongs elsewhere."""
    require_here(machine, row_named(name))
    return next(each for each in plan if each.job.name == name)


def row_named(name: str) -> Row:
    """The row of a job. Raises SettingsError when there is none."""
    names = [row.job.name for row in ROWS]
    if name in names:
        return ROWS[names.index(name)]
    guess = nearest(name, names)
    raise SettingsError(f"there is no job '{name}'" + (f"; did you mean '{guess}'?" if guess else ""), hint=_ALL)


def require_here(machine: Machine, row: Row) -> None:
    """Raises SettingsError when a job is none of this machine's."""
    why = why_not_here(machine, row)
    if why is not None:
        raise SettingsError(f"the job '{row.job.name}' is none of this machine's: {why}", hint=_ALL)


def why_not_here(machine: Machine, row: Row) -> str | None:
    """Why a job is none of this machine's; None when it is."""
    if machine.place not in {row.job.runs_on, "all"}:
        return f"it runs on {PLACES[row.job.runs_on]}, and machine.place is '{machine.place}'"
    missing = [need for need in row.needs if need not in machine.has]
    if missing:
        return f"the settings do not have {_NEEDS.get(missing[0], f'[{missing[0]}]')}"
    return None


def _with(machine: Machine, row: Row, section: ScheduleSection, told: JobSection | None) -> Planned:
    """A row with what the settings change."""
    argv = tuple(machine.repository if word == REPOSITORY else word for word in row.job.argv)
    changes: dict[str, object] = {"argv": argv}
    if told is not None and told.calendar is not None:
        changes["calendar"] = told.calendar
    if told is not None and told.timeout_s is not None:
        changes["timeout_s"] = told.timeout_s
    job = row.job.model_copy(update=changes)
    return Planned(
        row=row,
        job=job,
        calendar=parse(job.calendar),
        delay_s=row.delay_s if told is None or told.delay_s is None else told.delay_s,
        user=section.user if told is None or told.user is None else told.user,
        enabled=told is None or told.enabled,
    )


_ALL = "all jobs, and where each belongs: opsctl schedule list --all"
