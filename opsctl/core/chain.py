"""The hash chain under every log.

row_hash = SHA-256("opsctl-chain-v1" | log id (16 bytes) | seq (u64) | prev_hash (32 bytes; zeros at first)
                   | length of payload (u64) | payload), integers big-endian.

The log's id is in every row so that rows of one log prove nothing in another; the length makes the bytes unambiguous.
The vectors in tests/vectors/chain.json bind this and the SQL implementation alike.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DOMAIN = b"opsctl-chain-v1"
ZERO = bytes(32)


@dataclass(frozen=True)
class Row:
    """One row as stored: position (from 1), hash of the row before, payload, own hash."""

    seq: int
    prev_hash: bytes
    payload: bytes
    row_hash: bytes


@dataclass(frozen=True)
class Break:
    """The first place where a chain does not hold, and what differs."""

    seq: int
    what: str


def row_hash(log_id: bytes, seq: int, prev_hash: bytes, payload: bytes) -> bytes:
    """Hash one row."""
    head = DOMAIN + log_id + struct.pack(">Q", seq) + prev_hash + struct.pack(">Q", len(payload))
    return hashlib.sha256(head + payload).digest()


def check(log_id: bytes, rows: Iterable[Row], *, after: tuple[int, bytes] = (0, ZERO)) -> Iterator[bytes | Break]:
    """Walk rows in order of their seq and yield each row's hash; the walk ends with the first Break, if any.

    `after` is the position and hash that the first row must follow.
    """
    seq, prev = after
    for row in rows:
        seq += 1
        if row.seq != seq:
            yield Break(seq, f"row {seq} is missing; the next one is {row.seq}")
            return
        if row.prev_hash != prev:
            yield Break(seq, f"row {seq} names another row before it than the one that is there")
            return
        prev = row_hash(log_id, seq, prev, row.payload)
        if row.row_hash != prev:
            yield Break(seq, f"row {seq} is not what was written: its hash differs")
            return
        yield prev
