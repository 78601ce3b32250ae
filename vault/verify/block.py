"""Checks a block of rows as they lie in one string of bytes, which is several times as fast as row by row.

A row is seq (u64), prev_hash, length (u64), payload, row_hash: the first four are what is hashed behind the prefix.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from opsctl.core.chain import DOMAIN, Break
from opsctl.core.merkle import Tree

# Rows of a block: a complete subtree of this height.
HEIGHT = 14
BLOCK = 1 << HEIGHT
FIXED = 8 + 32 + 8 + 32
# Height and root of complete subtrees, in their order.
Nodes = tuple[tuple[int, bytes], ...]
_HEAD = struct.Struct(">Q32sQ")


@dataclass(frozen=True)
class Checked:
    """A block of rows in order: how many, what its first names as the row before, the hash of its last.

    `nodes` are the complete subtrees that they add to the log's tree; `marks` the same up to those sizes of the log
    for which there are checkpoints; `broken` is the first place where it does not hold.
    """

    count: int
    before: bytes
    last: bytes
    nodes: Nodes
    marks: dict[int, Nodes]
    broken: Break | None = None


class BlockChecker:
    """Takes the rows of one block, which begins with row `first`, piece by piece."""

    def __init__(self, log_id: bytes, first: int, marks: Iterable[int]) -> None:
        self._prefix = DOMAIN + log_id
        self._first = first
        self._next = first
        self._before: bytes | None = None
        self._last = b""
        self._leaves: list[bytes] = []
        self._marks = frozenset(marks)
        self.broken: Break | None = None

    def feed(self, rows: bytes) -> None:
        """Check the next rows; after the first break nothing more is looked at."""
        prefix, unpack, leaf = self._prefix, _HEAD.unpack_from, self._leaves.append
        seq, last, place, size = self._next, self._last, 0, len(rows)
        if self._before is None and rows:
            self._before = last = rows[8:40]
        while place < size:
            found, before, length = unpack(rows, place)
            end = place + 48 + length
            hashed = sha256(prefix + rows[place:end]).digest()
            if found != seq or before != last or rows[end : end + 32] != hashed:
                self.broken = self._break(seq, found, before == last)
                break
            leaf(sha256(b"\x00" + hashed).digest())
            last = hashed
            place = end + 32
            seq += 1
        self._next, self._last = seq, last

    @staticmethod
    def _break(seq: int, found: int, linked: bool) -> Break:
        if found != seq:
            return Break(seq, f"row {seq} is missing; the next one is {found}")
        if not linked:
            return Break(seq, f"row {seq} names another row before it than the one that is there")
        return Break(seq, f"row {seq} is not what was written: its hash differs")

    def result(self) -> Checked:
        """What the rows came to."""
        start = self._first - 1
        marks = {mark: _subtrees(self._leaves[: mark - start], start) for mark in self._marks if mark < self._next}
        nodes = _subtrees(self._leaves, start)
        return Checked(len(self._leaves), self._before or b"", self._last, nodes, marks, self.broken)


def _subtrees(leaves: list[bytes], start: int) -> Nodes:
    """Put leaf hashes, of which the first is leaf `start` of the log, together to the largest complete subtrees."""
    nodes = []
    place = 0
    while place < len(leaves):
        height = (len(leaves) - place).bit_length() - 1
        if (start + place) & ((1 << height) - 1):
            height = ((start + place) & -(start + place)).bit_length() - 1
        level = leaves[place : place + (1 << height)]
        place += len(level)
        while len(level) > 1:
            level = [
                sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)
            ]
        nodes.append((height, level[0]))
    return tuple(nodes)


def grow(tree: Tree, nodes: Nodes) -> None:
    """Append subtrees to a tree."""
    for height, node in nodes:
        tree.append_subtree(height, node)
