"""Copies to the other repositories, as the settings name them: by hand, and after each backup and shipment."""

from datetime import timedelta

from backup.context import Host
from backup.copies.records import CopyBody
from backup.copies.run import Destination, copy_to
from backup.copies.units import Lane
from backup.settings import Repository, S3Repository
from backup.stores import open_store
from opsctl.core.errors import ExitCode, SettingsError
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.settings import Settings

CopyRecord = Record[CopyBody]


def destinations(settings: Settings, name: str | None = None) -> tuple[Destination, ...]:
    """All repositories but the first, or the one of that name. Raises SettingsError when there is none."""
    first, *others = settings.repositories or (settings.require_repository(),)
    chosen = others if name is None else [settings.require_repository(name)]
    if first in chosen:
        raise SettingsError(f"'{first.name}' is the repository that copies are made of", hint="name another one")
    if not others:
        raise SettingsError(
            "the settings name no repository that could receive a copy",
            hint="add a second [[repositories]], on another machine: docs/repositories.md",
        )
    return tuple(destination(repository) for repository in chosen)


def destination(repository: Repository) -> Destination:
    """A repository as copies see it."""
    days = repository.lock_days if isinstance(repository, S3Repository) else None
    retain = None if days is None else timedelta(days=days)
    return Destination(repository.name, open_store(repository), repository.off_host, retain)


def copy_after_backup(settings: Settings, host: Host) -> tuple[CopyRecord, ...]:
    """Copy everything, if the settings say so and there is somewhere to copy to."""
    return _copy(settings, host, ("logs", "backups")) if settings.copies.after_backup else ()


def copy_after_shipment(settings: Settings, host: Host) -> tuple[CopyRecord, ...]:
    """Copy the binary logs, if the settings say so and there is somewhere to copy to."""
    return _copy(settings, host, ("logs",)) if settings.copies.after_shipment else ()


def exit_code(records: tuple[CopyRecord, ...]) -> ExitCode:
    """3 when a copy is not complete: what was to be copied is there, and safe in one place only."""
    return ExitCode.DONE if all(record.outcome is Outcome.PASSED for record in records) else ExitCode.PARTIAL


def _copy(settings: Settings, host: Host, lanes: tuple[Lane, ...]) -> tuple[CopyRecord, ...]:
    others = settings.repositories[1:]
    return tuple(copy_to(host, destination(repository), settings.copies, lanes=lanes) for repository in others)
