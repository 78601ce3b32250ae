"""The reading half of `opsctl vault`: search, show, stats, log."""

from datetime import datetime
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command
from opsctl.cli.views import vault_log as log_view
from opsctl.cli.views import vault_messages as view
from opsctl.core.clock import parse_instant
from opsctl.core.errors import SettingsError
from opsctl.overview import vault_wire
from vault.accounts import Role
from vault.reading.log import Filter, entries
from vault.reading.messages import Query, find
from vault.reading.stats import stats as count

SinceOption = Annotated[str | None, typer.Option(metavar="TIME", help="At or after this time; it names its zone.")]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time; it names its zone.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")]
SenderOption = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this sender.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    for name, function in (("search", search), ("show", show), ("stats", stats), ("log", log)):
        command(app, name)(function)


def search(
    session: Session,
    *,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words; a message has to have them all.")],
    chat: Annotated[str | None, typer.Option(metavar="NAME", help="Only in this chat.")] = None,
    sender: SenderOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
) -> Answer:
    """Find messages by their words, in any case and with or without accents."""
    query = Query(text, chat, sender, _instant(since), _instant(until), limit)
    with vault_wire.vault(session.settings, session.progress).connect(Role.READER) as connection:
        document = view.VaultSearch(messages=view.rows_of(find(connection, query)))
    return Answer(document, lambda paint: view.messages_text(document.messages, paint, with_chat=True))


def show(
    session: Session,
    *,
    chat: Annotated[str, typer.Argument(metavar="CHAT", help="The chat's name.")],
    sender: SenderOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
) -> Answer:
    """Show a chat: its newest messages, or the first ones since a time."""
    query = Query(None, chat, sender, _instant(since), _instant(until), limit, newest=since is None)
    with vault_wire.vault(session.settings, session.progress).connect(Role.READER) as connection:
        document = view.VaultShow(chat=chat, messages=view.rows_of(find(connection, query)))
    return Answer(document, lambda paint: view.messages_text(document.messages, paint, with_chat=False))


def stats(session: Session) -> Answer:
    """Count what is in the vault, by chat."""
    with vault_wire.vault(session.settings, session.progress).connect(Role.READER) as connection:
        document = view.counted(count(connection))
    return Answer(document, lambda paint: view.stats_text(document, paint))


def log(
    session: Session,
    *,
    action: Annotated[str | None, typer.Option(metavar="NAME", help="Only this action, such as vault.import.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this one did.")] = None,
    origin: Annotated[str | None, typer.Option(metavar="PLACE", help="Only from there.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="NAME", help="Only what was done to this.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV (RFC 4180).")] = False,
) -> Answer:
    """Show who did what, when and from where: the newest rows of the audit log that fit."""
    if csv and session.options.as_json:
        raise SettingsError("--csv and --json exclude each other")
    wanted = Filter(action, actor, origin, subject, _instant(since), _instant(until))
    with vault_wire.vault(session.settings, session.progress).connect(Role.READER) as connection:
        document = log_view.logged(entries(connection, wanted, limit=limit))
    if csv:
        return Answer(document, lambda paint: log_view.csv_lines(document))
    return Answer(document, lambda paint: log_view.log_text(document, paint))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
