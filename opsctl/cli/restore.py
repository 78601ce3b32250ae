"""`opsctl restore`: bring a backup, and the binary logs since, back into a directory."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_app
from opsctl.cli.views import export_drill as export_view
from opsctl.cli.views import restore as view
from opsctl.core.clock import parse_instant
from opsctl.core.errors import SettingsError
from opsctl.overview import wire
from restore_drill.exports.restore import restore_export
from restore_drill.restore import restore as bring_back

app = new_app()


@command(app, "restore")
def restore(
    session: Session,
    *,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Where to; a directory that is empty or absent.")],
    backup: Annotated[
        str | None, typer.Option(metavar="ID", help="This backup (default: the newest before the point).")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="The database as at this time; it names its zone.")
    ] = None,
    gtid: Annotated[
        str | None, typer.Option(metavar="GTID", help="The database as right after this transaction.")
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="The database as far as binary logs were shipped.")] = False,
    export: Annotated[
        str | None, typer.Option(metavar="ID", help="A logical export instead of a backup: its id, or 'latest'.")
    ] = None,
    repository: Annotated[str | None, typer.Option(metavar="NAME", help="Another repository than the first.")] = None,
) -> Answer:
    """Restore into a directory: datadir, files, keys, and the commands to go on with.

    Everything is verified on the way, and the directory appears whole or not at all. Without --at, --gtid or --latest
    the database is left as at the end of the backup. A logical export becomes a datadir of the installed version, and
    nothing else: it holds no files.
    """
    if export is not None:
        if backup or at or gtid or latest:
            raise SettingsError(
                "a logical export is of one moment", where="--export", hint="leave --backup, --at, --gtid, --latest out"
            )
        return _restore_export(session, to, export, repository)
    report = bring_back(
        wire.drill_host(session.settings, session.progress, repository),
        to,
        backup_id=backup,
        at=parse_instant(at) if at else None,
        gtid=gtid,
        latest=latest,
    )
    document = view.restored(report)
    return Answer(document, lambda paint: view.text(document, paint))


def _restore_export(session: Session, to: Path, name: str, repository: str | None) -> Answer:
    report = restore_export(wire.drill_host(session.settings, session.progress, repository), to, name)
    document = export_view.ExportRestore(report=report)
    return Answer(document, lambda paint: export_view.restore_text(document, paint))
