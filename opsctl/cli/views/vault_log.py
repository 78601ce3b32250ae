"""Answers of `opsctl vault log`, `prove` and `check-proof`."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.words import printable, when
from vault.audit import Logged
from vault.reading.log import payload_text
from vault.verify.proof import Proof, Proven

_COLUMNS = ("row", "at", "actor", "action", "subject", "origin", "details", "payload")


class LogRow(BaseModel):
    """A row of the audit log; `payload` only where it is no event of the form that opsctl writes."""

    row: int
    at: datetime | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    origin: str | None = None
    details: dict[str, JsonValue] | None = None
    payload: str | None = None


class VaultLog(Document):
    """Rows of the audit log, oldest first; times are UTC."""

    kind: Literal["vault-log"] = "vault-log"
    entries: tuple[LogRow, ...]


class VaultProve(Document):
    """A proof that a row is in the log."""

    kind: Literal["vault-prove"] = "vault-prove"
    proof: Proof


class VaultCheckProof(Document):
    """What a proof shows."""

    kind: Literal["vault-check-proof"] = "vault-check-proof"
    proven: Proven


def logged(found: Iterable[Logged]) -> VaultLog:
    """Collect rows."""
    return VaultLog(entries=tuple(_row(each) for each in found))


def _row(found: Logged) -> LogRow:
    event = found.event
    if event is None:
        return LogRow(row=found.row.seq, payload=payload_text(found.row.payload))
    return LogRow(
        row=found.row.seq,
        at=event.at,
        actor=event.actor,
        action=event.action,
        subject=event.subject,
        origin=event.origin,
        details=event.details,
    )


def log_text(document: VaultLog, paint: Painter) -> Iterator[str]:
    """Write a table."""
    if not document.entries:
        yield "no rows"
        return
    rows = [
        (
            Cell(str(row.row), right=True),
            when(row.at) if row.at else "",
            printable(row.actor or ""),
            printable(row.action or row.payload or ""),
            printable(row.subject or ""),
            printable(row.origin or ""),
        )
        for row in document.entries
    ]
    yield from table(("row", "at", "actor", "action", "subject", "from"), rows, paint)


def csv_lines(document: VaultLog) -> Iterator[str]:
    """Write CSV; a cell that a spreadsheet would take for a formula begins with a quote."""
    yield ",".join(_COLUMNS)
    for row in document.entries:
        values = row.model_dump(mode="json")
        if values["details"] is not None:
            values["details"] = json.dumps(values["details"], ensure_ascii=False, sort_keys=True)
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow([_cell(values[column]) for column in _COLUMNS])
        yield out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def prove_text(proof: Path, checker: Path, allowed_signers: Path) -> Iterator[str]:
    """Say how others check it."""
    yield f"The proof lies in {proof}. Whoever has it and {allowed_signers.name} checks it with:"
    yield f"  python3 {checker.name} {proof.name} {allowed_signers.name}"


def proven_text(document: VaultCheckProof, paint: Painter) -> Iterator[str]:
    """Write what is proven."""
    proven = document.proven
    yield f"Row {proven.seq} is {paint('proven', 'green')}."
    pairs = [("log", proven.origin), ("signed", f"{proven.size} rows at {proven.at} by {proven.signer}")]
    yield from figures(pairs, paint)
    yield printable(proven.payload)
