"""Checks the audit log in a dump of mariadb-dump, without a server."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from opsctl.core import chain
from opsctl.core.errors import IntegrityError, OpsError
from vault.verify.block import BLOCK, BlockChecker
from vault.verify.checkpoints import Custody
from vault.verify.lineage import trace
from vault.verify.run import Verified, judge
from vault.verify.walk import Walked

_INSERT = re.compile(rb"INSERT INTO `(\w+)` VALUES")
# One value as mariadb-dump writes it: hexadecimal, a quoted string, a number.
_VALUE = re.compile(rb"\s*(?:0x([0-9A-Fa-f]*)|(?:_binary )?'((?:[^'\\]|\\.|'')*)'|(\d+))\s*([,)])", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
_ESCAPED = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"Z": b"\x1a"}


def verify_dump(path: Path, custody: Custody) -> Verified:
    """The verdict on the log in a dump. Raises OpsError when the dump has none, or not in the form that is known."""
    ids = list(_tuples(path, b"audit_log"))
    if len(ids) != 1:
        raise OpsError("the dump has no audit log", where=str(path), hint="was the vault's database dumped?")
    log_id = ids[0][1]
    notes = custody.notes(log_id)
    marks = sorted({note.checkpoint.size for note in notes})
    walked = _walk(log_id, _rows(path), marks)
    lineage = trace(InDump(path), custody, log_id, deep=True)
    state = lineage.judge(judge(custody, notes, walked, 0), may_be_older=False)
    return Verified(state, custody.origin(log_id), 0, notes[-1].checkpoint if notes else None, lineage.renewed)


@dataclass(frozen=True)
class InDump:
    """Reads a log's first row, and logs that have ended, in a dump."""

    path: Path

    def first_row(self, log_id: bytes, *, ended: bool) -> chain.Row | None:
        """One row."""
        found = _ended_rows(self.path, log_id) if ended else _rows(self.path)
        return next((row for row in found if row.seq == 1), None)

    def walk_ended(self, log_id: bytes, size: int, marks: list[int]) -> Walked:
        """Row by row."""
        return _walk(log_id, islice(_ended_rows(self.path, log_id), size), marks)


def _walk(log_id: bytes, found: Iterable[chain.Row], marks: list[int]) -> Walked:
    walked = Walked()
    if 0 in marks:
        walked.roots[0] = walked.tree.root()
    stream = iter(found)
    while walked.broken is None and (block := list(islice(stream, BLOCK))):
        first = walked.tree.size + 1
        checker = BlockChecker(log_id, first, [mark for mark in marks if first <= mark < first + BLOCK])
        for row in block:
            head = row.seq.to_bytes(8, "big") + row.prev_hash + len(row.payload).to_bytes(8, "big")
            checker.feed(head + row.payload + row.row_hash)
            if checker.broken is not None:
                break
        walked.join(checker.result())
    return walked


def _rows(path: Path) -> Iterator[chain.Row]:
    for seq, prev_hash, row_hash, payload in _tuples(path, b"audit"):
        yield chain.Row(int(seq), prev_hash, payload, row_hash)


def _ended_rows(path: Path, log_id: bytes) -> Iterator[chain.Row]:
    for found, seq, prev_hash, row_hash, payload in _tuples(path, b"audit_archive"):
        if found == log_id:
            yield chain.Row(int(seq), prev_hash, payload, row_hash)


def _tuples(path: Path, table: bytes) -> Iterator[list[bytes]]:
    """The rows of a table, in the dump's order. A line of a dump holds whole rows: line ends in values are escaped."""
    inside = False
    with path.open("rb") as stream:
        for line in stream:
            rest = line
            if match := _INSERT.match(line):
                inside = match[1] == table
                rest = line[match.end() :]
            if inside:
                yield from _parse(rest, path)
            if line.rstrip().endswith(b";"):
                inside = False


def _parse(text: bytes, path: Path) -> Iterator[list[bytes]]:
    place = text.find(b"(")
    while place >= 0:
        values: list[bytes] = []
        place += 1
        while True:
            match = _VALUE.match(text, place)
            if match is None:
                raise IntegrityError("the dump is not in the form of mariadb-dump", where=str(path))
            values.append(_value(match))
            place = match.end()
            if match[4] == b")":
                break
        yield values
        place = text.find(b"(", place)


def _value(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes.fromhex(match[1].decode())
    if match[2] is not None:
        return _ESCAPE.sub(lambda found: b"'" if found[1] is None else _ESCAPED.get(found[1], found[1]), match[2])
    return match[3]
