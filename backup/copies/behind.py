"""How far the other repositories are behind: from the records of copying, and what was published here since."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backup.catalog import Catalog
from backup.copies.records import KIND, CopyBody
from backup.copies.run import backlog_of
from backup.copies.units import listing
from opsctl.core.ledger import Ledger
from opsctl.core.record import Record


class Behind(BaseModel):
    """One repository as the last run that could list it left it, and what was published here since.

    `copied` is when that run ended (UTC), None when none ever could. `backlog` counts objects, `backlog_size` bytes;
    `oldest` is when the oldest of them was published here (UTC).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    copied: datetime | None
    backlog: int
    backlog_size: int
    oldest: datetime | None
    problems: tuple[str, ...]

    def lag_s(self, now: datetime) -> float:
        """Seconds for which the oldest thing that is missing there has been here; 0 when nothing is missing."""
        return 0.0 if self.oldest is None else max(0.0, (now - self.oldest).total_seconds())


def behind(catalog: Catalog, ledger: Ledger, repositories: Iterable[str]) -> tuple[Behind, ...]:
    """Of each repository that receives copies; `catalog` is that of the first. No other repository is asked."""
    names = tuple(repositories)
    if not names:
        return ()
    last = dict(_last(ledger, catalog.stack))
    here = listing(catalog)
    found = []
    for name in names:
        newest, looked = last.get(name), last.get((name, "looked"))
        at = looked.body.looked_at if looked else None
        before = {key: item for key, item in here.items() if at is not None and item.modified <= at}
        since = backlog_of(catalog, before, here)
        missing = looked.body if looked else None
        times = [time for time in (since.oldest, missing.oldest_missing if missing else None) if time is not None]
        found.append(
            Behind(
                repository=name,
                copied=looked.finished if looked else None,
                backlog=since.objects + ((missing.backlog or 0) if missing else 0),
                backlog_size=since.size + ((missing.backlog_size or 0) if missing else 0),
                oldest=min(times, default=None),
                problems=newest.body.problems if newest else (),
            )
        )
    return tuple(found)


def _last(ledger: Ledger, stack: str) -> Iterator[tuple[str | tuple[str, str], Record[CopyBody]]]:
    """The records of each repository, and those of runs that could list it, in the order of time."""
    for entry in ledger.query(KIND, stack):
        record = entry.record_of(CopyBody)
        yield record.body.repository, record
        if record.body.looked_at is not None:
            yield (record.body.repository, "looked"), record
