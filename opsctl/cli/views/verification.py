"""The answer of `opsctl backup verify`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from backup.records import VerificationBody
from backup.sweep.records import SweepBody
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import wrap
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, ago, size
from opsctl.core.errors import ExitCode
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.words import counted


class Verified(BaseModel):
    """One backup: the number and size in bytes of its archives, and everything that was wrong."""

    backup_id: str
    outcome: Outcome
    artefacts: int
    cipher_size: int
    problems: tuple[str, ...]


class Swept(BaseModel):
    """What was read of a whole repository, bytes and archives of all there are; `waiting` is when that one was read
    (UTC) which was not read for longest. `stale` says how the repository has stopped growing."""

    outcome: Outcome
    archives: int
    size: int
    total: int
    total_size: int
    waiting: datetime | None
    problems: tuple[str, ...]
    stale: tuple[str, ...]


class BackupVerify(Document):
    """Which backups are still what was signed; with --all and --sample, what was read of the whole repository."""

    kind: Literal["backup-verify"] = "backup-verify"
    backups: tuple[Verified, ...]
    repository: Swept | None = None


def verified(records: Sequence[Record[VerificationBody]], swept: Record[SweepBody] | None = None) -> BackupVerify:
    """Collect."""
    body = swept.body if swept else None
    return BackupVerify(
        repository=None
        if swept is None or body is None
        else Swept(
            outcome=swept.outcome,
            archives=len(body.good) + len(body.bad),
            size=body.size,
            total=body.total,
            total_size=body.total_size,
            waiting=body.waiting,
            problems=body.problems,
            stale=body.stale,
        ),
        backups=tuple(
            Verified(
                backup_id=record.body.backup_id,
                outcome=record.outcome,
                artefacts=record.body.artefacts,
                cipher_size=record.body.cipher_size,
                problems=record.body.problems,
            )
            for record in records
        ),
    )


def exit_code(records: Sequence[Record[VerificationBody]], swept: Record[SweepBody] | None = None) -> ExitCode:
    """12 when something is not what was signed, else 4 when the repository has stopped growing, else 3 when something
    could not be looked at."""
    outcomes = {record.outcome for record in records} | ({swept.outcome} if swept and not swept.body.stale else set())
    if Outcome.FAILED in outcomes or (swept and swept.body.stale and swept.body.problems):
        return ExitCode.INTEGRITY
    if swept and swept.body.stale:
        return ExitCode.FINDINGS
    return ExitCode.PARTIAL if Outcome.COULD_NOT_RUN in outcomes else ExitCode.DONE


def text(document: BackupVerify, paint: Painter) -> Iterator[str]:
    """Write a line for each backup, and below it what is wrong."""
    if document.repository is not None:
        yield from _swept(document.repository, paint)
    elif not document.backups:
        yield "there is no backup"
    for backup in document.backups:
        word = paint(OUTCOME_WORDS[backup.outcome], OUTCOME_STYLES[backup.outcome])
        yield f"{backup.backup_id}  {word}  {counted(backup.artefacts, 'archive')}, {size(backup.cipher_size)}"
        for problem in backup.problems:
            yield f"  - {problem}"


def _swept(swept: Swept, paint: Painter) -> Iterator[str]:
    word = paint(OUTCOME_WORDS[swept.outcome], OUTCOME_STYLES[swept.outcome])
    yield f"Read {counted(swept.archives, 'archive')}, {size(swept.size)} of {size(swept.total_size)}: {word}"
    if swept.waiting is not None:
        yield f"Of all {counted(swept.total, 'archive')}, the one not read for longest was read {ago(swept.waiting)}."
    for problem in (*swept.stale, *swept.problems):
        for number, line in enumerate(wrap(problem, 76)):
            yield f"  {'-' if number == 0 else ' '} {line}"
