"""The audit log's rows: what applications write, and how to read them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from opsctl.core import chain
from opsctl.core.canonical import canonical
from opsctl.core.errors import OpsError
from opsctl.core.mariadb.connect import Connection, rows

MAX_PAYLOAD = 65536


class Event(BaseModel):
    """Who did what to which thing, when (UTC) and from where; `details` as the action has them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(1)
    action: str
    actor: str
    at: datetime
    origin: str = Field("", description="Where the actor was: a host, an address, a program.")
    subject: str = Field("", description="What it was done to.")
    details: dict[str, JsonValue] = {}


@dataclass(frozen=True)
class Logged:
    """A row of the log with its event; None when the payload is not one of ours."""

    row: chain.Row
    event: Event | None


def append(connection: Connection, event: Event) -> int:
    """Write an event and return its place in the log. It is part of the transaction that is open."""
    payload = canonical(event)
    if len(payload) > MAX_PAYLOAD:
        raise OpsError(f"an audit event of {len(payload)} bytes is too long; {MAX_PAYLOAD} are allowed")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit (payload) VALUES (_binary %s)", (payload,))
    return int(rows(connection, "SELECT @opsctl_audit_seq")[0][0])


def log_id(connection: Connection) -> bytes | None:
    """The log's id: 16 bytes; None when there is none."""
    found = rows(connection, "SELECT log_id FROM audit_log WHERE id = 1")
    return bytes(found[0][0]) if found else None


def read(connection: Connection, *, first: int, last: int) -> Iterator[chain.Row]:
    """Rows of a range of the log, as stored, in their order."""
    statement = "SELECT seq, prev_hash, payload, row_hash FROM audit WHERE seq BETWEEN %s AND %s ORDER BY seq"
    for seq, prev_hash, payload, row_hash in rows(connection, statement, first, last):
        yield chain.Row(int(seq), bytes(prev_hash), bytes(payload), bytes(row_hash))


def last_seq(connection: Connection) -> int:
    """The highest place in the log; 0 for an empty one."""
    return int(rows(connection, "SELECT COALESCE(MAX(seq), 0) FROM audit")[0][0])


def parse(row: chain.Row) -> Logged:
    """Read a row's event, if it is one."""
    try:
        return Logged(row, Event.model_validate(json.loads(row.payload)))
    except (ValueError, ValidationError):
        return Logged(row, None)
