"""Answers of `opsctl notify`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.words import when
from opsctl.core.notify.notifier import Attempt
from opsctl.core.notify.outbox import Message, Trouble
from opsctl.core.notify.settings import ChannelSection
from opsctl.core.rule import Severity

_STYLES = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


class Channel(BaseModel):
    """A channel and what is sent there."""

    name: str
    severities: tuple[Severity, ...]


class Told(BaseModel):
    """Trouble that lasts, and when (UTC) it was last told."""

    fingerprint: str
    severity: Severity
    title: str
    text: str
    told: datetime


class Waiting(BaseModel):
    """A message that has not arrived yet, since when (UTC), how often it was tried, and why it failed last."""

    target: str
    title: str
    created: datetime
    attempts: int
    error: str | None


class NotifyList(Document):
    """Who hears what, what they were told, and what they could not be told yet."""

    kind: Literal["notify-list"] = "notify-list"
    channels: tuple[Channel, ...]
    troubles: tuple[Told, ...]
    waiting: tuple[Waiting, ...]


class NotifyTest(Document):
    """What came of one message to each channel."""

    kind: Literal["notify-test"] = "notify-test"
    attempts: tuple[Attempt, ...]


def listed(
    channels: Sequence[ChannelSection], troubles: Sequence[tuple[Trouble, datetime]], waiting: Sequence[Message]
) -> NotifyList:
    """Collect."""
    return NotifyList(
        channels=tuple(Channel(name=channel.name, severities=channel.severities) for channel in channels),
        troubles=tuple(Told(**trouble.model_dump(), told=told) for trouble, told in troubles),
        waiting=tuple(
            Waiting(
                target=message.target,
                title=message.title,
                created=message.created,
                attempts=message.attempts,
                error=message.error,
            )
            for message in waiting
        ),
    )


def list_text(document: NotifyList, paint: Painter) -> Iterator[str]:
    """Write the channels, the trouble, and what waits."""
    if not document.channels:
        yield paint("Nobody hears of anything: the settings have no [[channels]].", "yellow")
    else:
        rows = [(channel.name, ", ".join(channel.severities)) for channel in document.channels]
        yield from table(("channel", "hears"), rows, paint)
    yield ""
    if not document.troubles:
        yield "No trouble is known."
    for told in document.troubles:
        yield f"{paint(told.severity.value, _STYLES[told.severity])}  {told.title}"
        yield from figures([("told", when(told.told)), ("what", told.text.splitlines()[0])], paint, indent=2)
    if document.waiting:
        yield ""
        waiting = [
            (message.target, message.title, Cell(str(message.attempts), right=True), message.error or "")
            for message in document.waiting
        ]
        yield from table(("waits for", "message", "tries", "why"), waiting, paint)


def tested(attempts: Sequence[Attempt]) -> NotifyTest:
    """Collect."""
    return NotifyTest(attempts=tuple(attempts))


def test_text(document: NotifyTest, paint: Painter) -> Iterator[str]:
    """Write a line for each channel."""
    rows = [
        (attempt.target, Cell("FAILED", "red") if attempt.error else Cell("sent", "green"), attempt.error or "")
        for attempt in document.attempts
    ]
    yield from table(("channel", "test", "why"), rows, paint)
