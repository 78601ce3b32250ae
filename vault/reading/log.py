"""Who did what, when and from where: the audit log for people."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from opsctl.core.mariadb.connect import Connection
from vault import audit
from vault.audit import Logged

STEP = 2000


@dataclass(frozen=True)
class Filter:
    """Which rows are wanted; texts match as a whole, times are UTC."""

    action: str | None = None
    actor: str | None = None
    origin: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, logged: Logged) -> bool:
        """Whether a row is wanted. A payload that is no event fits only when nothing is asked for."""
        event = logged.event
        if event is None:
            return self == Filter()
        texts = ((self.action, event.action), (self.actor, event.actor), (self.origin, event.origin))
        if any(wanted is not None and wanted != found for wanted, found in (*texts, (self.subject, event.subject))):
            return False
        return (self.since is None or event.at >= self.since) and (self.until is None or event.at < self.until)


def entries(connection: Connection, wanted: Filter, *, limit: int) -> list[Logged]:
    """The newest rows that fit, oldest first."""
    found: list[Logged] = []
    for logged in _backwards(connection):
        if wanted.fits(logged):
            found.append(logged)
            if len(found) == limit:
                break
    return found[::-1]


def _backwards(connection: Connection) -> Iterator[Logged]:
    last = audit.last_seq(connection)
    while last > 0:
        first = max(1, last - STEP + 1)
        for row in reversed(list(audit.read(connection, first=first, last=last))):
            yield audit.parse(row)
        last = first - 1


def payload_text(payload: bytes) -> str:
    """A payload that is no event, for a person: its text, or base64 when it is none."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(payload).decode()
