"""Answers of `opsctl ledger`."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, JsonValue

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, figures, table
from opsctl.cli.words import OUTCOME_STYLES, OUTCOME_WORDS, when
from opsctl.core.clock import SKEW, utcnow
from opsctl.core.ledger import Entry
from opsctl.core.result import Outcome
from opsctl.core.verdict import LogState, Verdict


class LedgerRow(BaseModel):
    """One record without its body; times are UTC."""

    seq: int
    kind: str
    subject: str
    started: datetime
    finished: datetime
    outcome: Outcome
    fresh_until: datetime | None


class LedgerList(Document):
    """Records, oldest first."""

    kind: Literal["ledger-list"] = "ledger-list"
    entries: tuple[LedgerRow, ...]


class LedgerShow(Document):
    """One record as it was written, and its place in the chain (hashes in hexadecimal)."""

    kind: Literal["ledger-show"] = "ledger-show"
    seq: int
    prev_hash: str
    row_hash: str
    record: dict[str, JsonValue]


class LedgerVerify(Document):
    """The verdict on the whole ledger; `pinned` rows are covered by a checkpoint in the repository."""

    kind: Literal["ledger-verify"] = "ledger-verify"
    verdict: Verdict
    size: int
    pinned: int
    root: str
    broken_at: int | None
    broken: str | None


class ExportedRow(BaseModel):
    """One row: `payload` is the exact text that was hashed (opsctl/core/chain.py has the formula)."""

    seq: int
    prev_hash: str
    row_hash: str
    payload: str


class LedgerExport(Document):
    """The rows of a ledger, for keeping and for checking elsewhere; `log` is the log's id in hexadecimal."""

    kind: Literal["ledger-export"] = "ledger-export"
    log: str
    entries: tuple[ExportedRow, ...]


def listed(entries: Iterable[Entry]) -> LedgerList:
    """Collect rows."""
    return LedgerList(entries=tuple(_row(entry) for entry in entries))


def _row(entry: Entry) -> LedgerRow:
    record = entry.record()
    return LedgerRow(
        seq=entry.seq,
        kind=record.kind,
        subject=record.subject,
        started=record.started,
        finished=record.finished,
        outcome=record.outcome,
        fresh_until=record.fresh_until,
    )


def list_text(document: LedgerList, paint: Painter) -> Iterator[str]:
    """Write a table."""
    if not document.entries:
        yield "no records"
        return
    now = utcnow()
    rows = [
        (
            Cell(str(row.seq), right=True),
            when(row.finished),
            row.kind,
            row.subject,
            Cell(OUTCOME_WORDS[row.outcome], OUTCOME_STYLES[row.outcome]),
            _freshness(row, now),
        )
        for row in document.entries
    ]
    yield from table(("seq", "finished", "kind", "subject", "outcome", "today"), rows, paint)


def _freshness(row: LedgerRow, now: datetime) -> Cell:
    """A record from the future was written by a clock that ran ahead, and is no proof for longer because of it."""
    if row.fresh_until is None:
        return Cell("")
    fresh = row.fresh_until > now and row.finished <= now + SKEW
    return Cell("fresh", "green") if fresh else Cell("stale", "dim")


def shown(entry: Entry) -> LedgerShow:
    """One row with its record."""
    return LedgerShow(
        seq=entry.seq,
        prev_hash=entry.prev_hash.hex(),
        row_hash=entry.row_hash.hex(),
        record=json.loads(entry.payload),
    )


def show_text(document: LedgerShow, paint: Painter) -> Iterator[str]:
    """Write the hashes and the record."""
    yield from figures([("entry", str(document.seq)), ("hash", document.row_hash)], paint)
    yield from json.dumps(document.record, indent=2, ensure_ascii=False).splitlines()


def verified(state: LogState) -> LedgerVerify:
    """The verdict."""
    return LedgerVerify(
        verdict=state.verdict,
        size=state.size,
        pinned=state.pinned,
        root=state.root.hex(),
        broken_at=state.broken.seq if state.broken else None,
        broken=state.broken.what if state.broken else None,
    )


_STYLES = {Verdict.BROKEN: "red", Verdict.PINNED: "green"}


def verify_text(document: LedgerVerify, paint: Painter) -> Iterator[str]:
    """Write the verdict and what stands behind it."""
    yield f"The ledger is {paint(document.verdict.value, _STYLES.get(document.verdict, 'yellow'))}."
    pairs = [("records", str(document.size)), ("pinned", f"the first {document.pinned}, by a checkpoint")]
    if not document.pinned:
        pairs[1] = ("pinned", "none: without a checkpoint a cut tail cannot be seen")
    if document.broken:
        pairs.append(("broken", document.broken))
    yield from figures([*pairs, ("root", document.root)], paint)


def exported(log_id: bytes, entries: Iterable[Entry]) -> LedgerExport:
    """All rows."""
    return LedgerExport(
        log=log_id.hex(),
        entries=tuple(
            ExportedRow(
                seq=entry.seq,
                prev_hash=entry.prev_hash.hex(),
                row_hash=entry.row_hash.hex(),
                payload=entry.payload.decode(),
            )
            for entry in entries
        ),
    )
