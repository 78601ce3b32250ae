"""`opsctl status`: what could be brought back right now, and what is due."""

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_app
from opsctl.cli.views import status as view
from opsctl.overview import wire
from opsctl.overview.status import look

app = new_app()


@command(app, "status")
def status(session: Session) -> Answer:
    """Say what could be brought back right now, what proves it, and what is due."""
    settings = session.settings
    found = look(settings, wire.places(settings), wire.ledger(settings), wire.drills(settings))
    document = view.document_of(settings.stack.name, found)
    return Answer(document, lambda paint: view.text(document, paint))
