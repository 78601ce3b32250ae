"""What a sweep leaves in the ledger, and what is read there of earlier ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from opsctl.core.ledger import Ledger
from opsctl.core.record import Record

KIND = "sweep"
VERSION = 1


class SweepBody(BaseModel):
    """The body of a record of kind `sweep`: a look at a part of a repository's archives. Sizes are bytes, times UTC.

    `good` and `bad` are the keys of the archives that were read and are, or are not, what was signed; `size` is what
    was read, of `total_size` in `total` archives. `waiting` is when the one that was not read for longest was read.
    `stale` says how the repository has stopped growing; `newest_backup` is what there was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    where: str
    percent: float
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    size: int = 0
    total: int = 0
    total_size: int = 0
    waiting: datetime | None = None
    newest_backup: str | None = None
    problems: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What earlier sweeps of a repository found: when each archive was read last, and which were bad then."""

    read: dict[str, datetime]
    bad: frozenset[str]
    newest_backup: str | None


def known(ledger: Ledger, stack: str, where: str) -> Known:
    """Put the records of a repository together."""
    read: dict[str, datetime] = {}
    bad: set[str] = set()
    newest = None
    for record in _of(ledger, stack, where):
        read |= dict.fromkeys(record.body.good, record.finished)
        bad = (bad - set(record.body.good)) | set(record.body.bad)
        newest = record.body.newest_backup or newest
    return Known(read, frozenset(bad), newest)


def _of(ledger: Ledger, stack: str, where: str) -> Iterator[Record[SweepBody]]:
    for entry in ledger.query(KIND, stack):
        record = entry.record_of(SweepBody)
        if record.body.where == where:
            yield record
