"""`opsctl backup`: make backups, list them, look at them."""

from typing import Annotated, Literal

import typer

from backup.catalog import Catalog
from backup.copies.run import copy_to, look_at
from backup.layers import layers as look_at_layers
from backup.logical.catalog import export_ids, is_export, read_export
from backup.logical.run import run_export
from backup.run import run_backup
from backup.summary import Memory, manifests, remember_one, summaries
from backup.verify import verify_backup, verify_export
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import backup as view
from opsctl.cli.views import copies as copies_view
from opsctl.cli.views import export as export_view
from opsctl.cli.views import pruning as pruning_view
from opsctl.cli.views import status as status_view
from opsctl.cli.views import verification
from opsctl.core.errors import ExitCode, SettingsError
from opsctl.core.result import Outcome
from opsctl.overview import copying, pruning, sweeping, wire
from opsctl.overview.status import exit_code

app = new_group("Make backups, copy them, list them, verify them.")

RepositoryOption = Annotated[
    str | None, typer.Option("--repository", metavar="NAME", help="Another repository than the first.")
]
KindOption = Annotated[
    Literal["full", "incremental", "logical"] | None,
    typer.Option("--kind", help="Full or incremental instead of by settings, or a logical export as SQL."),
]


@command(app, "run")
def run(session: Session, kind: KindOption = None) -> Answer:
    """Take a backup, read it back, sign it, publish it, and copy it to the other repositories.

    Without --kind it is a full one every backup.full_every_days, and incremental in between. It is a full one in any
    case, and says why, when nothing proves that the server went on from its last backup: after a gap in the binary
    log, a restore, or an upgrade.
    """
    if kind == "logical":
        return _export(session)
    host = wire.host(session.loaded, session.progress)
    manifest = run_backup(host, kind=kind, lock_wait_s=session.options.lock_wait_s)
    wire.pin(session.settings)
    copies = copying.copy_after_backup(session.settings, host)
    remember_one(host.catalog, manifest, host.machine.state_dir)
    document = view.BackupRun(manifest=manifest, copies=copies_view.copied(copies))
    return Answer(document, lambda paint: view.run_text(document, paint), copying.exit_code(copies), report=True)


@command(app, "copy")
def copy(
    session: Session,
    to: Annotated[str | None, typer.Option("--to", metavar="NAME", help="Only to this repository.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
) -> Answer:
    """Copy what is missing in the other repositories, reading each object back.

    What was interrupted is gone on with. Nothing that is there is ever written over or deleted.
    """
    chosen, host = copying.destinations(session.settings, to), wire.host(session.loaded, session.progress)
    if dry_run:
        plan = copies_view.planned([(each.name, look_at(host, each)) for each in chosen])
        return Answer(plan, lambda paint: copies_view.plan_text(plan, paint))
    wait_s = session.options.lock_wait_s
    records = tuple(copy_to(host, each, session.settings.copies, lock_wait_s=wait_s) for each in chosen)
    document = copies_view.BackupCopy(copies=copies_view.copied(records))
    code = copying.exit_code(records)
    return Answer(document, lambda paint: copies_view.text(document.copies, paint), code, report=True)


def _export(session: Session) -> Answer:
    """Export all databases as SQL."""
    host = wire.host(session.loaded, session.progress)
    export = run_export(host, lock_wait_s=session.options.lock_wait_s)
    wire.pin(session.settings)
    copies = copying.copy_after_backup(session.settings, host)
    document = export_view.ExportRun(export=export, copies=copies_view.copied(copies))
    return Answer(document, lambda paint: export_view.run_text(document, paint), copying.exit_code(copies), report=True)


@command(app, "list")
def list_(session: Session, repository: RepositoryOption = None) -> Answer:
    """List all backups, and logical exports, oldest first; each one's signature was verified."""
    catalog = wire.catalog(session.settings, repository)
    memory = Memory(session.settings.machine.state_dir, catalog)
    found = summaries(catalog, manifests(catalog), memory)
    document = view.listed(catalog.store.where, found, [read_export(catalog, each) for each in export_ids(catalog)])
    return Answer(document, lambda paint: view.list_text(document, paint))


@command(app, "show")
def show(
    session: Session,
    backup_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The backup's id (default: the newest).")
    ] = None,
    repository: RepositoryOption = None,
) -> Answer:
    """Show what a backup, or a logical export, holds."""
    catalog = wire.catalog(session.settings, repository)
    if backup_id is not None and is_export(catalog, backup_id):
        export = export_view.ExportShow(export=read_export(catalog, backup_id))
        return Answer(export, lambda paint: export_view.show_text(export, paint))
    manifest = catalog.newest() if backup_id is None else catalog.asked_for(backup_id)
    document = view.shown(catalog, manifest)
    return Answer(document, lambda paint: view.show_text(document, paint))


@command(app, "verify")
def verify(
    session: Session,
    backup_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The backup's id (default: the newest).")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every backup, export and binary log there is.")] = False,
    sample: Annotated[
        float | None,
        typer.Option("--sample", metavar="PERCENT", min=0, max=100, help="So much of all, longest not read first."),
    ] = None,
    repository: RepositoryOption = None,
) -> Answer:
    """Check that a backup is still what was signed: every archive's size and hash, and nothing extra.

    Nothing is decrypted; whether it restores is shown by a drill. With --sample, what was not read for 28 days is read
    in any case. With it and with --all, a repository that has stopped growing is a finding.
    """
    settings, progress = session.settings, session.progress
    catalog, ledger = wire.catalog(settings, repository), wire.ledger(settings)
    exports = export_ids(catalog)
    wanted = _wanted(catalog, backup_id, exports, every=every, sample=sample)
    swept = None
    if every or sample is not None:
        swept = sweeping.run(settings, repository, 100 if every else sample or 0, progress=progress)
    read = frozenset(swept.body.good) if swept else frozenset()
    records = [
        (verify_export if each in exports else verify_backup)(
            catalog, each, ledger=ledger, progress=progress, read=read
        )
        for each in wanted
    ]
    document = verification.verified(records, swept)
    return Answer(document, lambda paint: verification.text(document, paint), verification.exit_code(records, swept))


def _wanted(
    catalog: Catalog, backup_id: str | None, exports: list[str], *, every: bool, sample: float | None
) -> list[str]:
    """The ids of the backups and exports to verify. Raises SettingsError for words that name none."""
    if sample is not None:
        if every or backup_id is not None:
            other = "--all" if every else backup_id
            raise SettingsError(f"--sample and {other} are two things", hint="opsctl backup verify --sample 5")
        return []
    if backup_id in exports and not every:
        return [str(backup_id)]
    if not every:
        return [catalog.newest().id if backup_id is None else catalog.require(backup_id)]
    if backup_id is not None:
        raise SettingsError(f"--all is more than {backup_id}", hint="opsctl backup verify --all")
    return [*catalog.backup_ids(), *exports]


@command(app, "prune")
def prune(
    session: Session,
    repository: RepositoryOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what stays, what goes, and why; delete nothing.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="NAME", help="The repository's name, once more.")
    ] = None,
) -> Answer:
    """Delete what no rule of [retention] keeps and nothing that stays needs.

    A host prunes its own repository; those off it are pruned on the drill host.
    """
    settings = session.settings
    if dry_run:
        plan = pruning_view.planned(settings.require_repository(repository).name, pruning.plan(settings, repository))
        return Answer(plan, lambda paint: pruning_view.plan_text(plan, paint))
    wait_s = session.options.lock_wait_s
    record = pruning.run(settings, repository, confirmed=confirm, progress=session.progress, lock_wait_s=wait_s)
    document = pruning_view.BackupPrune(pruned=record.body)
    code = ExitCode.DONE if record.outcome is Outcome.PASSED else ExitCode.PARTIAL
    return Answer(document, lambda paint: pruning_view.text(document, paint), code, report=True)


@command(app, "layers")
def layers(session: Session) -> Answer:
    """Show the five layers: set up or not, last success, last verified, last drilled."""
    settings = session.settings
    surveys = wire.surveys(settings)
    found = look_at_layers(settings.stack.name, surveys, wire.ledger(settings), wire.copies(settings))
    document = status_view.BackupLayers(layers=found)
    return Answer(document, lambda paint: status_view.layers_text(document.layers, paint), exit_code(surveys))
