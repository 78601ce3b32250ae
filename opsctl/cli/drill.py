"""`opsctl drill`: prove that backups restore."""

from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import drill as view
from opsctl.core.errors import ExitCode, OpsError
from opsctl.overview import wire
from restore_drill.drill import run_drill
from restore_drill.report import list_drills, show_drill

app = new_group("Prove that backups restore.")

RepositoryOption = Annotated[
    str | None, typer.Option("--repository", metavar="NAME", help="Another repository than the first.")
]


@command(app, "run")
def run(
    session: Session,
    backup: Annotated[str | None, typer.Option(metavar="ID", help="This backup (default: the newest).")] = None,
    repository: RepositoryOption = None,
) -> Answer:
    """Restore into a scratch server, run the eight checks, sign and publish the result."""
    settings = session.settings
    report = run_drill(wire.drill_host(settings, session.progress, repository), backup_id=backup)
    wire.pin(settings, repository)
    document = view.DrillRun(report=report)
    code = report.body.exit_code
    return Answer(document, lambda paint: view.report_text(report, paint), code, report=code is ExitCode.DONE)


@command(app, "list")
def list_(session: Session, repository: RepositoryOption = None) -> Answer:
    """List all drills, oldest first; each one's signature is verified."""
    document = view.listed(list_drills(wire.catalog(session.settings, repository)))
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
        drills = list_drills(catalog)
        if not drills:
            raise OpsError("no drill has run", where=catalog.store.where, hint="opsctl drill run")
        report = drills[-1]
    else:
        report = show_drill(catalog, drill_id)
    document = view.DrillShow(report=report)
    return Answer(document, lambda paint: view.report_text(report, paint))
