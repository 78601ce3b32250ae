"""`opsctl drill`: prove that backups restore."""

from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import drill as view
from opsctl.cli.views import export_drill as export_view
from opsctl.cli.views import self_test as self_test_view
from opsctl.core.errors import ExitCode, OpsError, SettingsError
from opsctl.overview import vault_wire, wire
from restore_drill.drill import run_drill
from restore_drill.exports.drill import run_export_drill
from restore_drill.exports.report import EXPORT_DRILLS
from restore_drill.report import DRILLS
from restore_drill.self_test.faults import FAULTS
from restore_drill.self_test.run import self_test

app = new_group("Prove that backups restore.")

RepositoryOption = Annotated[
    str | None, typer.Option("--repository", metavar="NAME", help="Another repository than the first.")
]


@command(app, "run")
def run(
    session: Session,
    backup: Annotated[str | None, typer.Option(metavar="ID", help="This backup (default: the newest).")] = None,
    export: Annotated[
        str | None, typer.Option(metavar="ID", help="A logical export instead: its id, or 'latest'.")
    ] = None,
    repository: RepositoryOption = None,
) -> Answer:
    """Restore into a scratch server, run the eight checks, sign and publish the result.

    A logical export is loaded into a new server of the installed version, and held against what its source said.
    """
    settings = session.settings
    if export is not None:
        return _run_export(session, export, repository, backup)
    extra = vault_wire.drill_checks(settings)
    report = run_drill(wire.drill_host(settings, session.progress, repository), backup_id=backup, extra_checks=extra)
    wire.pin(settings, repository)
    document = view.DrillRun(report=report)
    code = report.body.exit_code
    return Answer(document, lambda paint: view.report_text(report, paint), code, report=code is ExitCode.DONE)


def _run_export(session: Session, name: str, repository: str | None, backup: str | None) -> Answer:
    if backup is not None:
        raise SettingsError("--backup and --export name two things to drill", hint="drill one after the other")
    settings = session.settings
    report = run_export_drill(wire.drill_host(settings, session.progress, repository), name)
    wire.pin(settings, repository)
    document = export_view.ExportDrillRun(report=report)
    code = report.body.exit_code
    return Answer(document, lambda paint: export_view.report_text(report, paint), code, report=code is ExitCode.DONE)


@command(app, "list")
def list_(session: Session, repository: RepositoryOption = None) -> Answer:
    """List all drills, oldest first; each one's signature is verified."""
    catalog = wire.catalog(session.settings, repository)
    document = view.listed(DRILLS.all(catalog), EXPORT_DRILLS.all(catalog))
    return Answer(document, lambda paint: view.list_text(document, paint))


@command(app, "show")
def show(
    session: Session,
    drill_id: Annotated[str | None, typer.Argument(metavar="ID", help="The drill's id (default: the newest).")] = None,
    repository: RepositoryOption = None,
) -> Answer:
    """Show a drill: each check with what it found, and what was measured."""
    catalog = wire.catalog(session.settings, repository)
    if drill_id is None:
        drills = DRILLS.all(catalog)
        if not drills:
            raise OpsError("no drill has run", where=catalog.store.where, hint="opsctl drill run")
        report = drills[-1]
    elif drill_id in EXPORT_DRILLS.ids(catalog):
        of_export = EXPORT_DRILLS.one(catalog, drill_id)
        answer = export_view.ExportDrillShow(report=of_export)
        return Answer(answer, lambda paint: export_view.report_text(of_export, paint))
    else:
        report = DRILLS.one(catalog, drill_id)
    document = view.DrillShow(report=report)
    return Answer(document, lambda paint: view.report_text(report, paint))


@command(app, "self-test")
def self_test_(
    session: Session,
    fault: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this fault; may be repeated.")] = None,
    list_faults: Annotated[bool, typer.Option("--list", help="Only list the faults, and run nothing.")] = False,
    repository: RepositoryOption = None,
) -> Answer:
    """Prove that the drill can fail: make faults in copies of the newest backup, and see each one caught.

    The repository is only read. Needs about four times the room of a drill in drill.scratch_dir.
    """
    if list_faults:
        faults = self_test_view.listed(FAULTS)
        return Answer(faults, lambda paint: self_test_view.list_text(faults, paint))
    report = self_test(wire.drill_host(session.settings, session.progress, repository), only=fault or ())
    document = self_test_view.DrillSelfTest(report=report)
    code = report.body.exit_code
    return Answer(document, lambda paint: self_test_view.report_text(report, paint), code, report=code is ExitCode.DONE)
