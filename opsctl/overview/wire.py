"""Builds what the domains work with from the settings."""

from collections.abc import Iterator

from backup.catalog import Catalog
from backup.checkpoints import publish_checkpoint
from backup.context import Host
from backup.copies.behind import Behind, behind
from backup.settings import S3Repository
from backup.stores import open_store
from backup.survey import Drilled, Place, Survey, survey
from opsctl.core.ledger import SqliteLedger
from opsctl.core.progress import Progress
from opsctl.core.result import Outcome
from opsctl.core.settings import Loaded
from opsctl.core.signing import Verifier
from opsctl.core.store import Store
from opsctl.overview import told
from opsctl.settings import Settings
from restore_drill.context import DrillHost
from restore_drill.exports.report import EXPORT_DRILLS
from restore_drill.report import DRILLS


def ledger(settings: Settings) -> SqliteLedger:
    """This machine's ledger."""
    return told.ledger(settings)


def store(settings: Settings, repository: str | None = None) -> Store:
    """The store of a repository, by default the first. Raises SettingsError."""
    return open_store(settings.require_repository(repository))


def verifier(settings: Settings) -> Verifier:
    """Believes this machine's allowed signers."""
    return Verifier(settings.trust.allowed_signers)


def catalog(settings: Settings, repository: str | None = None) -> Catalog:
    """The content of a repository, by default the first, verified when it is read."""
    return Catalog(store(settings, repository), settings.stack.name, verifier(settings))


def host(loaded: Loaded[Settings], progress: Progress) -> Host:
    """What jobs on the host work with. Raises SettingsError where a section is missing."""
    settings = loaded.settings
    return Host(
        stack=settings.stack,
        database=settings.require_database(),
        sites=settings.sites,
        nginx=settings.nginx,
        backup=settings.require_backup(),
        binlog=settings.binlog,
        objectives=settings.objectives,
        machine=settings.machine,
        trust=settings.trust,
        repository=settings.local_repository.path,
        store=store(settings),
        ledger=ledger(settings),
        progress=progress,
        settings_files=(loaded.path,),
    )


def drill_host(settings: Settings, progress: Progress, repository: str | None = None) -> DrillHost:
    """What restores and drills work with. Raises SettingsError where a section is missing."""
    chosen = settings.require_repository(repository)
    return DrillHost(
        stack=settings.stack.name,
        drill=settings.require_drill(),
        objectives=settings.objectives,
        machine=settings.machine,
        trust=settings.trust,
        repository=chosen.name,
        store=store(settings, chosen.name),
        off_host=chosen.off_host,
        ledger=ledger(settings),
        progress=progress,
    )


def places(settings: Settings) -> tuple[Place, ...]:
    """All repositories, the local one first."""
    return tuple(
        Place(
            repository.name,
            catalog(settings, repository.name),
            repository.off_host,
            immutable=isinstance(repository, S3Repository) and repository.lock_days is not None,
        )
        for repository in settings.repositories
    )


def surveys(settings: Settings) -> tuple[Survey, ...]:
    """A look at each repository, the local one first. Raises IntegrityError when something in one does not hold."""
    return tuple(survey(place, _drills) for place in places(settings))


def copies(settings: Settings) -> tuple[Behind, ...]:
    """How far the other repositories are behind, on a machine that makes backups."""
    if settings.machine.place not in {"host", "all"}:
        return ()
    return behind(catalog(settings), ledger(settings), [each.name for each in settings.repositories[1:]])


def _drills(found: Catalog) -> Iterator[Drilled]:
    for report in DRILLS.all(found):
        yield Drilled(
            finished=report.finished,
            passed=report.outcome is Outcome.PASSED,
            repository=report.body.repository,
            backup=report.body.backup_id,
            replayed=report.body.replayed_to is not None,
        )
    for each in EXPORT_DRILLS.all(found):
        yield Drilled(
            finished=each.finished,
            passed=each.outcome is Outcome.PASSED,
            repository=each.body.repository,
            backup=each.body.export_id,
            replayed=False,
            export=True,
        )


def pin(settings: Settings, repository: str | None = None) -> None:
    """State in the repository what the ledger says now, after a run has written its record."""
    publish_checkpoint(store(settings, repository), settings.stack.name, ledger(settings), settings.trust)
