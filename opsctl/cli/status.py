"""`opsctl status`: what could be brought back right now, and what is due."""

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_app
from opsctl.cli.views import status as view
from opsctl.overview import wire
from opsctl.overview.status import exit_code, look

app = new_app()


@command(app, "status")
def status(session: Session) -> Answer:
    """Say what could be brought back right now, what proves it, and what is due."""
    settings = session.settings
    surveys = wire.surveys(settings)
    document = view.document_of(
        settings.stack.name, look(settings, surveys, wire.ledger(settings), copies=wire.copies(settings))
    )
    return Answer(document, lambda paint: view.text(document, paint), exit_code(surveys))
