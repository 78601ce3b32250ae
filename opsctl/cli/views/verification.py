"""The answer of `opsctl backup verify`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from backup.records import VerificationBody
from opsctl.cli.output import Document, Painter
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, size
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


class BackupVerify(Document):
    """Which backups are still what was signed."""

    kind: Literal["backup-verify"] = "backup-verify"
    backups: tuple[Verified, ...]


def verified(records: Sequence[Record[VerificationBody]]) -> BackupVerify:
    """Collect."""
    return BackupVerify(
        backups=tuple(
            Verified(
                backup_id=record.body.backup_id,
                outcome=record.outcome,
                artefacts=record.body.artefacts,
                cipher_size=record.body.cipher_size,
                problems=record.body.problems,
            )
            for record in records
        )
    )


def exit_code(records: Sequence[Record[VerificationBody]]) -> ExitCode:
    """12 when a backup is not what was signed, else 3 when one could not be looked at."""
    outcomes = {record.outcome for record in records}
    if Outcome.FAILED in outcomes:
        return ExitCode.INTEGRITY
    return ExitCode.PARTIAL if Outcome.COULD_NOT_RUN in outcomes else ExitCode.DONE


def text(document: BackupVerify, paint: Painter) -> Iterator[str]:
    """Write a line for each backup, and below it what is wrong."""
    if not document.backups:
        yield "there is no backup"
    for backup in document.backups:
        word = paint(OUTCOME_WORDS[backup.outcome], OUTCOME_STYLES[backup.outcome])
        yield f"{backup.backup_id}  {word}  {counted(backup.artefacts, 'archive')}, {size(backup.cipher_size)}"
        for problem in backup.problems:
            yield f"  - {problem}"
