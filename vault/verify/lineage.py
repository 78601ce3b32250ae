"""Where a log comes from: which logs it has replaced, and whether there are checkpoints of any that it does not name.

A log that replaced another says so in its first row (renew.py). One that is there instead of another, and says nothing,
is no log of this vault, however unbroken it is.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

from pydantic import JsonValue

from opsctl.core import chain
from opsctl.core.chain import Break
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.progress import Silent
from opsctl.core.verdict import LogState, Verdict
from vault import audit
from vault.verify.checkpoints import Custody, Note, check_signature
from vault.verify.walk import Connect, Log, Walked, walk

ACTION = "log.restored"


class Source(Protocol):
    """Where the log and those before it are read: a server or a dump."""

    def first_row(self, log_id: bytes, *, ended: bool) -> chain.Row | None:
        """The first row of the log, or of one that has ended."""
        ...

    def walk_ended(self, log_id: bytes, size: int, marks: list[int]) -> Walked:
        """Check the rows of a log that has ended."""
        ...


@dataclass(frozen=True)
class Renewed:
    """What a renewed log says of the one before: its id and size, and the rows that were lost, of it and of others."""

    old_log: bytes
    old_size: int
    lost: int


@dataclass
class Lineage:
    """The log that this one replaced, if any; the ids (hexadecimal) of all logs it accounts for; what is not right."""

    renewed: Renewed | None = None
    named: set[str] = field(default_factory=set)
    broken: Break | None = None
    foreign: Break | None = None

    def judge(self, state: LogState, *, may_be_older: bool) -> LogState:
        """What the log's origin does to a verdict on its rows."""
        broken = state.broken or self.broken or (None if may_be_older else self.foreign)
        if broken is not None:
            return replace(state, verdict=Verdict.BROKEN, broken=broken)
        return state if self.renewed is None else replace(state, verdict=Verdict.RESTORED)


@dataclass(frozen=True)
class OnServer:
    """Reads from a server."""

    connection: Connection
    connect: Connect

    def first_row(self, log_id: bytes, *, ended: bool) -> chain.Row | None:
        """One row."""
        if not ended:
            return next(audit.read(self.connection, first=1, last=1), None)
        return first_of_ended(self.connection, log_id)

    def walk_ended(self, log_id: bytes, size: int, marks: list[int]) -> Walked:
        """Block by block."""
        return walk(Log(log_id, self.connect, ended=True), size, marks, progress=Silent())


def first_of_ended(connection: Connection, log_id: bytes) -> chain.Row | None:
    """The first row of a log that has ended."""
    statement = "SELECT seq, prev_hash, payload, row_hash FROM audit_archive WHERE log_id = _binary %s AND seq = 1"
    found = rows(connection, statement, log_id)
    return chain.Row(int(found[0][0]), *map(bytes, found[0][1:])) if found else None


def replaced(row: chain.Row | None) -> dict[str, JsonValue] | None:
    """What a log's first row says of the log before; None when it says nothing of the kind."""
    event = audit.parse(row).event if row is not None else None
    return event.details if event is not None and event.action == ACTION else None


def trace(source: Source, custody: Custody, log_id: bytes, *, deep: bool, ended: bool = False) -> Lineage:
    """Follow a log, which may have `ended` itself, back to the first one; `deep` checks every row of those that ended.

    Raises SignatureError when a checkpoint that matters is by nobody trusted.
    """
    lineage = Lineage(named={log_id.hex()})
    current = log_id
    while details := replaced(source.first_row(current, ended=ended)):
        old, size = bytes.fromhex(str(details["old_log"])), int(str(details["old_size"]))
        others = _lost_logs(details)
        if lineage.renewed is None:
            lineage.renewed = Renewed(old, size, int(str(details["lost"])) + sum(others.values()))
        if old.hex() in lineage.named:
            break
        lineage.named |= {old.hex(), *others}
        lineage.broken = lineage.broken or _judge_ended(source, custody, old, details, deep=deep)
        current, ended = old, True
    lineage.foreign = _unnamed(custody, lineage.named)
    return lineage


def _lost_logs(details: dict[str, JsonValue]) -> dict[str, int]:
    """Logs of which nothing is left but checkpoints, each with the rows that those have seen."""
    found = details.get("lost_logs")
    return {name: int(str(size)) for name, size in found.items()} if isinstance(found, dict) else {}


def unnamed_logs(custody: Custody, named: set[str]) -> dict[str, int]:
    """Logs of the stack that are not among these and have a trusted checkpoint: their ids, and rows seen."""
    return {name: note.checkpoint.size for name, note in _newest_unnamed(custody, named).items()}


def _judge_ended(
    source: Source, custody: Custody, old: bytes, details: dict[str, JsonValue], *, deep: bool
) -> Break | None:
    """Hold what is said of a log that ended against its checkpoints, and against its rows."""
    size, lost = int(str(details["old_size"])), int(str(details["lost"]))
    notes = custody.notes(old)
    if notes and notes[-1].checkpoint.size > size + lost:
        check_signature(custody.verifier, notes[-1])
        seen = notes[-1].checkpoint.size
        return Break(1, f"the log before this one is said to have had {size + lost} rows; a checkpoint has seen {seen}")
    if not deep:
        return None
    covered = [note for note in notes if note.checkpoint.size <= size]
    walked = source.walk_ended(old, size, sorted({note.checkpoint.size for note in covered}))
    if walked.broken or walked.tree.size != size or walked.tree.root().hex() != details["old_root"]:
        return Break(1, f"the log before this one had {size} rows; those in the archive are not all the same")
    for note in covered:
        if walked.roots[note.checkpoint.size] != note.checkpoint.root:
            check_signature(custody.verifier, note)
            return Break(1, f"the log before this one is not the one that a checkpoint of {_day(note)} has seen")
    return None


def _unnamed(custody: Custody, named: set[str]) -> Break | None:
    for name, note in _newest_unnamed(custody, named).items():
        text = f"a checkpoint of {_day(note)} is of another log ({name[:8]}), which this one does not name"
        return Break(1, f"{text}: the whole log was replaced")
    return None


def _newest_unnamed(custody: Custody, named: set[str]) -> dict[str, Note]:
    newest = {note.checkpoint.origin.rpartition("/")[2]: note for note in custody.all_notes()}
    found = {name: note for name, note in newest.items() if name not in named}
    for note in found.values():
        check_signature(custody.verifier, note)
    return found


def _day(note: Note) -> str:
    return f"{note.checkpoint.at:%Y-%m-%d %H:%M} UTC"
