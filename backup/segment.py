"""Segments and heads: the signed records of the shipped binary log."""

from datetime import datetime
from typing import Literal

from backup.codec import Sealed
from backup.manifest import Part
from opsctl.core.canonical import parse_versioned

VERSION = 1
NO_RECORD = "0" * 64


class Segment(Part):
    """One sealed binary log. `previous` is the SHA-256 of the record before it in the lineage (zeros for the first).

    States are MariaDB's binlog states as text (`0-1-42,0-2-40`). `heartbeat` is the newest heartbeat in the segment and
    `heartbeat_before` the one in the segment before, both the host's UTC time; `sealed_at` is when it was published.
    """

    format: Literal["opsctl-segment"] = "opsctl-segment"
    version: int = VERSION
    stack: str
    server: str
    lineage: str
    lineage_reason: str
    number: int
    name: str
    key: str
    sealed: Sealed
    server_version: str
    first_state: str
    last_state: str
    end_position: int
    transactions: int
    first_time: datetime | None
    last_time: datetime | None
    heartbeat: datetime | None
    heartbeat_before: datetime | None
    sealed_at: datetime
    previous: str


class Head(Part):
    """A signed statement of how far a stack's repository reaches; a repository that ends before it was rolled back.

    `last_record` is the SHA-256 of the newest segment record of `lineage`, `segments` their number; both of a stack
    that has shipped nothing yet are zero. `newest_backup` is the newest backup's id.
    """

    format: Literal["opsctl-head"] = "opsctl-head"
    version: int = VERSION
    stack: str
    at: datetime
    server: str | None
    lineage: str | None
    segments: int
    last_record: str
    newest_backup: str | None


def parse_segment(data: bytes, what: str) -> Segment:
    """Read a segment record whose signature was verified."""
    return parse_versioned(Segment, data, what=what, version=VERSION)


def parse_head(data: bytes, what: str) -> Head:
    """Read a head whose signature was verified."""
    return parse_versioned(Head, data, what=what, version=VERSION)
