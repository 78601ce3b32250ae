"""The answers of `opsctl backup copy`, and what other commands say of the copies that they made."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from backup.copies.records import CopyBody
from backup.copies.run import Backlog
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import wrap
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, seconds, size, when
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.words import counted


class Copied(BaseModel):
    """One copy to one repository: what its record in the ledger says. Sizes are bytes, times UTC."""

    outcome: Outcome
    started: datetime
    finished: datetime
    body: CopyBody


class Missing(BaseModel):
    """What a copy would send: objects, bytes, and since when the oldest of it waits (UTC)."""

    repository: str
    objects: int
    size: int
    oldest: datetime | None


class BackupCopy(Document):
    """What was copied to each repository."""

    kind: Literal["backup-copy"] = "backup-copy"
    copies: tuple[Copied, ...]


class BackupCopyPlan(Document):
    """What a copy would send to each repository; nothing was sent."""

    kind: Literal["backup-copy-plan"] = "backup-copy-plan"
    missing: tuple[Missing, ...]


def copied(records: Sequence[Record[CopyBody]]) -> tuple[Copied, ...]:
    """Collect."""
    return tuple(
        Copied(outcome=record.outcome, started=record.started, finished=record.finished, body=record.body)
        for record in records
    )


def planned(backlogs: Sequence[tuple[str, Backlog]]) -> BackupCopyPlan:
    """Collect."""
    return BackupCopyPlan(
        missing=tuple(
            Missing(repository=name, objects=found.objects, size=found.size, oldest=found.oldest)
            for name, found in backlogs
        )
    )


def plan_text(document: BackupCopyPlan, paint: Painter) -> Iterator[str]:
    """Write a line for each repository."""
    for each in document.missing:
        if each.objects:
            waiting = f"{counted(each.objects, 'object')}, {size(each.size)}"
            yield f"{paint(each.repository, 'bold')}: would receive {waiting}, the oldest of {when(each.oldest)}"
        else:
            yield f"{paint(each.repository, 'bold')}: has everything"


def text(copies: Sequence[Copied], paint: Painter) -> Iterator[str]:
    """Write what went to each repository, what is still missing there, and why."""
    for copy in copies:
        body = copy.body
        word = paint(OUTCOME_WORDS[copy.outcome], OUTCOME_STYLES[copy.outcome])
        took = seconds((copy.finished - copy.started).total_seconds())
        sent = f"{counted(body.objects, 'object')}, {size(body.size)}, read back" if body.objects else "nothing new"
        yield f"Copy to {paint(body.repository, 'bold')}: {word}, {sent}, {took}"
        if body.backlog:
            yield f"  not there yet: {counted(body.backlog, 'object')}, {size(body.backlog_size or 0)}"
        if body.locked_until is not None:
            yield f"  the newest backup there is locked until {when(body.locked_until)}"
        for problem in body.problems:
            for number, line in enumerate(wrap(problem, 76)):
                yield f"  {'-' if number == 0 else ' '} {line}"
