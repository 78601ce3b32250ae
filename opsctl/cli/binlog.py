"""`opsctl binlog`: ship binary logs, list them, find gaps."""

from backup.binlog.gaps import find_gaps
from backup.binlog.overview import segments_overview
from backup.binlog.ship import LineageBrokenError
from backup.binlog.ship import ship as ship_logs
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import binlog as view
from opsctl.core.errors import ExitCode
from opsctl.overview import copying, wire

app = new_group("Ship binary logs, list what was shipped, find gaps.")


@command(app, "ship")
def ship(session: Session) -> Answer:
    """Ship everything up to now, and prove it by a heartbeat."""
    host = wire.host(session.loaded, session.progress)
    try:
        shipment = ship_logs(host, lock_wait_s=session.options.lock_wait_s)
    except LineageBrokenError:  # all there is was shipped, and is as much worth off the host
        copying.copy_after_shipment(session.settings, host)
        raise
    wire.pin(session.settings)
    copies = copying.copy_after_shipment(session.settings, host)
    document = view.shipped(shipment, copies)
    return Answer(document, lambda paint: view.ship_text(document, paint), copying.exit_code(copies), report=True)


@command(app, "list")
def list_(session: Session) -> Answer:
    """List what was shipped, lineage by lineage."""
    document = view.listed(segments_overview(wire.catalog(session.settings)))
    return Answer(document, lambda paint: view.list_text(document, paint))


@command(app, "gaps")
def gaps(session: Session) -> Answer:
    """Find everything in the shipped logs that a replay would stumble over."""
    first = session.settings.require_repository().name
    document = view.with_gaps(find_gaps(wire.catalog(session.settings), first))
    code = ExitCode.INTEGRITY if document.gaps else ExitCode.DONE
    return Answer(document, lambda paint: view.gaps_text(document, paint), code)
