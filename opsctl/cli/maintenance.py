"""`opsctl maintenance`: let visitors see a page of maintenance until a time."""

from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import maintenance as view
from opsctl.core.clock import parse_instant, utcnow
from opsctl.health.maintenance import switch_off, switch_on
from opsctl.health.nginx import gaps
from opsctl.health.state import current
from opsctl.overview import health

app = new_group("Let visitors see a page of maintenance until a time.")


@command(app, "on")
def on(
    session: Session,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; for the records, visitors do not see it.")],
    until: Annotated[str, typer.Option(metavar="TIME", help="When it ends by itself; the time names its zone.")],
    allow: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="An address or network that is let through. Repeatable.")
    ] = None,
) -> Answer:
    """Answer visitors with 503, Retry-After and a page until a time, and have health keep its hands off.

    It ends by nginx's own clock, also when the machine reboots meanwhile and opsctl never runs again.
    """
    desk = health.desk(session.settings)
    switched = switch_on(
        desk, reason=reason, until=parse_instant(until), allow=allow or (), lock_wait_s=session.options.lock_wait_s
    )
    document = view.switched(switched)
    return Answer(document, lambda paint: view.text(document, paint), view.exit_code(document), report=True)


@command(app, "off")
def off(session: Session) -> Answer:
    """End maintenance now."""
    desk = health.desk(session.settings)
    document = view.switched(switch_off(desk, lock_wait_s=session.options.lock_wait_s))
    return Answer(document, lambda paint: view.text(document, paint), view.exit_code(document), report=True)


@command(app, "status")
def status(session: Session) -> Answer:
    """Say whether there is maintenance, and whether nginx is ready for it."""
    desk = health.desk(session.settings)
    document = view.status(current(desk.machine.state_dir, utcnow()), gaps(desk.config, desk.directory))
    return Answer(document, lambda paint: view.status_text(document, paint))
