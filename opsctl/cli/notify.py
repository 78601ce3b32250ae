"""`opsctl notify`: say who hears of trouble, and try it."""

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import notify as view
from opsctl.core.errors import ExitCode, SettingsError
from opsctl.overview import told

app = new_group("Say who hears of trouble, and try it.")


@command(app, "list")
def list_(session: Session) -> Answer:
    """List the channels, what is wrong now as far as they were told, and what could not be delivered yet."""
    notifier = told.notifier(session.settings)
    boxes = (notifier.outbox, notifier.spare)
    document = view.listed(
        session.settings.channels,
        [found for box in boxes for found in box.troubles()],
        [message for box in boxes for message in box.waiting()],
    )
    return Answer(document, lambda paint: view.list_text(document, paint))


@command(app, "test")
def test(session: Session) -> Answer:
    """Send one message to each channel now."""
    settings = session.settings
    if not settings.channels:
        raise SettingsError("the settings have no [[channels]]", hint="see what belongs there: opsctl config generate")
    notifier = told.notifier(settings)
    text = "This is a test of opsctl. When you read it, this channel works."
    document = view.tested(notifier.test(f"{settings.stack.name}: test", text))
    failed = any(attempt.error for attempt in document.attempts)
    return Answer(
        document, lambda paint: view.test_text(document, paint), ExitCode.FINDINGS if failed else ExitCode.DONE
    )
