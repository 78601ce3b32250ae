"""Builds what the schedule works with from the settings."""

import sys
from pathlib import Path

from backup.settings import DirectoryRepository, Repository, S3Repository
from opsctl.core.result import Outcome
from opsctl.core.settings import Loaded
from opsctl.overview import told
from opsctl.schedule.heard import Heard, JobState
from opsctl.schedule.listener import Listener
from opsctl.schedule.machine import Machine, Planned, planned
from opsctl.schedule.run import Jobs
from opsctl.schedule.standing import Standing, standings
from opsctl.schedule.table import Need
from opsctl.settings import Settings


def machine(loaded: Loaded[Settings]) -> Machine:
    """This machine as the schedule sees it."""
    settings = loaded.settings
    drill, vault, database, notify = settings.drill, settings.vault, settings.database, settings.notify
    return Machine(
        program=Path(sys.argv[0]).absolute(),
        config=loaded.path,
        stack=settings.stack.name,
        place=settings.machine.place,
        state_dir=settings.machine.state_dir,
        lock_dir=settings.machine.lock_dir,
        has=frozenset(_has(settings)),
        secrets={
            "signing": (settings.trust.signing_key,),
            "database": _there(*((database.backup_password_file, database.ship_password_file) if database else ())),
            "watch": _there(database.watch_password_file) if database else (),
            "export": _there(database.export_password_file if database else None),
            "health": _there(settings.health.database_password_file),
            "repositories": tuple(path for each in settings.repositories for path in _repository_secrets(each)),
            "identities": _there(*((*drill.identity_files, *drill.keys_identity_files) if drill else ())),
            "vault": _there(*((vault.importer_password_file, vault.reader_password_file) if vault else ())),
            "notify": _there(settings.notify.ping_url_file, *(channel.url_file for channel in settings.channels)),
        },
        writes={
            "repositories": tuple(each.path for each in settings.repositories if isinstance(each, DirectoryRepository)),
            "scratch": _there(*((drill.scratch_dir,) if drill else ())),
            "media": _there(*((vault.media_dir,) if vault else ())),
            "signs": _there(notify.textfile_dir, notify.health_file.parent if notify.health_file else None),
        },
        repository=settings.repositories[0].name if settings.repositories else "",
    )


def plan(loaded: Loaded[Settings]) -> tuple[Planned, ...]:
    """The jobs of this machine. Raises SettingsError."""
    return planned(machine(loaded), loaded.settings.schedule, loaded.settings.jobs)


def jobs(loaded: Loaded[Settings]) -> Jobs:
    """What runs them."""
    return Jobs(machine(loaded), told.ledger(loaded.settings), listener(loaded))


def listener(loaded: Loaded[Settings]) -> Listener:
    """Who hears of each run, and of those that are missing."""
    ledger = told.ledger(loaded.settings)

    def states() -> list[JobState]:
        return [_state(each) for each in standings(plan(loaded), machine(loaded), ledger)]

    return Heard(told.notifier(loaded.settings), states)


def _state(standing: Standing) -> JobState:
    last = standing.last
    return JobState(
        name=standing.planned.job.name,
        what=standing.planned.row.what,
        missing=standing.missing,
        finished=last.finished if last else None,
        passed=last is not None and last.outcome is Outcome.PASSED,
    )


def _has(settings: Settings) -> list[Need]:
    """What the settings have of what jobs need."""
    found: dict[Need, bool] = {
        "backup": settings.backup is not None and settings.database is not None and bool(settings.repositories),
        "copies": len(settings.repositories) > 1,
        "certificates": bool(settings.health.certificates) or any("https:" in visit.url for visit in settings.visits),
        "drill": settings.drill is not None and bool(settings.repositories),
        "exports": settings.database is not None and settings.database.export_user is not None,
        "repository": bool(settings.repositories),
        "retention": "retention" in settings.model_fields_set,
        "vault": settings.vault is not None and settings.database is not None,
    }
    return [need for need, there in found.items() if there]


def _repository_secrets(repository: Repository) -> tuple[Path, ...]:
    if isinstance(repository, DirectoryRepository):
        return ()
    return (repository.credentials_file,) if isinstance(repository, S3Repository) else (repository.key_file,)


def _there(*paths: Path | None) -> tuple[Path, ...]:
    return tuple(path for path in paths if path is not None)
