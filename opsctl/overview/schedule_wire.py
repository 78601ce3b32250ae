"""Builds what the schedule works with from the settings."""

import sys
from pathlib import Path

from backup.settings import DirectoryRepository, Repository, S3Repository
from opsctl.core.settings import Loaded
from opsctl.overview import wire
from opsctl.schedule.listener import Listener, Nobody
from opsctl.schedule.machine import Machine, Planned, planned
from opsctl.schedule.run import Jobs
from opsctl.schedule.table import Need
from opsctl.settings import Settings


def machine(loaded: Loaded[Settings]) -> Machine:
    """This machine as the schedule sees it."""
    settings = loaded.settings
    drill, vault, database = settings.drill, settings.vault, settings.database
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
            "repositories": tuple(path for each in settings.repositories for path in _repository_secrets(each)),
            "identities": _there(*((*drill.identity_files, *drill.keys_identity_files) if drill else ())),
            "vault": _there(*((vault.importer_password_file, vault.reader_password_file) if vault else ())),
            "notify": _there(settings.notify.ping_url_file, *(channel.url_file for channel in settings.channels)),
        },
        writes={
            "repositories": tuple(each.path for each in settings.repositories if isinstance(each, DirectoryRepository)),
            "scratch": _there(*((drill.scratch_dir,) if drill else ())),
            "media": _there(*((vault.media_dir,) if vault else ())),
        },
    )


def plan(loaded: Loaded[Settings]) -> tuple[Planned, ...]:
    """The jobs of this machine. Raises SettingsError."""
    return planned(machine(loaded), loaded.settings.schedule, loaded.settings.jobs)


def jobs(loaded: Loaded[Settings]) -> Jobs:
    """What runs them."""
    return Jobs(machine(loaded), wire.ledger(loaded.settings), listener(loaded.settings))


def listener(settings: Settings) -> Listener:
    """Who hears of each run."""
    return Nobody()


def _has(settings: Settings) -> list[Need]:
    """What the settings have of what jobs need."""
    found: dict[Need, bool] = {
        "backup": settings.backup is not None and settings.database is not None and bool(settings.repositories),
        "copies": len(settings.repositories) > 1,
        "drill": settings.drill is not None and bool(settings.repositories),
        "repository": bool(settings.repositories),
        "vault": settings.vault is not None and settings.database is not None,
    }
    return [need for need, there in found.items() if there]


def _repository_secrets(repository: Repository) -> tuple[Path, ...]:
    if isinstance(repository, DirectoryRepository):
        return ()
    return (repository.credentials_file,) if isinstance(repository, S3Repository) else (repository.key_file,)


def _there(*paths: Path | None) -> tuple[Path, ...]:
    return tuple(path for path in paths if path is not None)
