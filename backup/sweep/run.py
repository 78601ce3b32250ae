"""`backup verify --sample`: read some archives of a repository again, and see that it still grows."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backup.catalog import Catalog
from backup.codec import Sealed
from backup.logical.catalog import export_ids, read_export
from backup.sweep.choose import NEVER, Archive, choose, looked_at
from backup.sweep.records import KIND, VERSION, SweepBody, known
from backup.verify import look
from opsctl.core.clock import SKEW, iso, utcnow
from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.ledger import Ledger
from opsctl.core.progress import Progress
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.store import Stored

FRESH = timedelta(days=31)


@dataclass(frozen=True)
class Growth:
    """How old the newest backup, and the newest binary log if there is any, may be in a repository."""

    backup: timedelta
    log: timedelta


def sweep(
    catalog: Catalog, name: str, percent: float, growth: Growth, *, ledger: Ledger, progress: Progress
) -> Record[SweepBody]:
    """Read what was not read for longest, `percent` of the repository and whatever waits for 28 days; so all of it is
    read within a month of daily runs. Returns the record, which is in the ledger then.

    It has failed when an archive, or what names it, is not what was signed, and when the repository has stopped
    growing; it could not run when the store does not answer.
    """
    run = _Sweep(catalog, utcnow())
    try:
        run.read(percent, ledger, progress)
        run.stale.extend(_stale(run.newest, growth, run.started))
    except UnreachableError as error:
        run.problems.append(str(error))
        run.unreachable = True
    except OpsError as error:
        run.problems.append(str(error))
    return run.record(name, percent, ledger)


@dataclass
class _Newest:
    backup: str | None = None
    backed_up: datetime | None = None
    sealed: datetime | None = None
    before: str | None = None


@dataclass
class _Sweep:
    catalog: Catalog
    started: datetime
    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    newest: _Newest = field(default_factory=_Newest)
    archives: Sequence[Archive] = ()
    waiting: datetime | None = None
    unreachable: bool = False

    def read(self, percent: float, ledger: Ledger, progress: Progress) -> None:
        """Read, and note what is good and what is bad. Raises what reading documents raises."""
        catalog = self.catalog
        before = known(ledger, catalog.stack, catalog.store.where)
        self.newest.before = before.newest_backup
        here = {item.key: item for item in catalog.store.list(f"{catalog.stack}/")}
        self.archives = [_archive(key, sealed, here) for key, sealed in self._named().items()]
        chosen = choose(self.archives, before.read, percent, self.started)
        progress.step(f"Reading {len(chosen)} archives", total_bytes=sum(each.sealed.cipher_size for each in chosen))
        for archive in chosen:
            found = list(look(catalog, archive.key, archive.sealed, progress))
            self.problems.extend(found)
            (self.bad if found else self.good).append(archive.key)
        read = before.read | dict.fromkeys(self.good, self.started)
        waiting = min((looked_at(archive, read, self.started) for archive in self.archives), default=NEVER)
        self.waiting = None if waiting == NEVER else waiting

    def _named(self) -> dict[str, Sealed]:
        """Every archive that a signed document names, with what it has to be. What does not hold is a problem, and
        keeps nothing else from being read."""
        found: dict[str, Sealed] = {}
        for backup_id in self.catalog.backup_ids():
            with self._noted():
                manifest = self.catalog.manifest(backup_id)
                found |= {artefact.key: artefact.sealed for artefact in manifest.artefacts}
                self.newest.backup, self.newest.backed_up = backup_id, manifest.finished
        for export_id in export_ids(self.catalog):
            with self._noted():
                found |= {dump.key: dump.sealed for dump in read_export(self.catalog, export_id).dumps}
        for ref in self.catalog.lineages():
            with self._noted():
                segments = self.catalog.segments(ref)
                found |= {segment.key: segment.sealed for segment in segments}
                self.newest.sealed = segments[-1].sealed_at
        return found

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except UnreachableError:
            raise
        except OpsError as error:
            self.problems.append(str(error))

    def record(self, name: str, percent: float, ledger: Ledger) -> Record[SweepBody]:
        """Append what was found to the ledger."""
        finished = utcnow()
        sizes: Mapping[str, int] = {each.key: each.sealed.cipher_size for each in self.archives}
        outcome = Outcome.FAILED if self.problems or self.stale else Outcome.PASSED
        if self.unreachable and not self.bad:
            outcome = Outcome.COULD_NOT_RUN
        record = Record[SweepBody](
            kind=KIND,
            version=VERSION,
            subject=self.catalog.stack,
            started=self.started,
            finished=finished,
            outcome=outcome,
            fresh_until=finished + FRESH if outcome is Outcome.PASSED else None,
            body=SweepBody(
                repository=name,
                where=self.catalog.store.where,
                percent=percent,
                good=tuple(self.good),
                bad=tuple(self.bad),
                size=sum(sizes[key] for key in (*self.good, *self.bad)),
                total=len(sizes),
                total_size=sum(sizes.values()),
                waiting=self.waiting,
                newest_backup=self.newest.backup,
                problems=tuple(self.problems),
                stale=tuple(self.stale),
            ),
        )
        ledger.append(record)
        return record


def _archive(key: str, sealed: Sealed, here: Mapping[str, Stored]) -> Archive:
    """What is missing has never arrived, and is looked at first."""
    return Archive(key, sealed, here[key].modified if key in here else NEVER)


def _stale(newest: _Newest, growth: Growth, now: datetime) -> Iterator[str]:
    """pgbackrest #2229: whatever is in a repository that nothing arrives in any more may be whole, and is no backup."""
    for what, moment, limit in (
        ("backup", newest.backed_up, growth.backup),
        ("binary log", newest.sealed, growth.log),
    ):
        if moment is None and what == "backup":
            yield "there is no backup in it"
        elif moment is not None and not now - limit <= moment <= now + SKEW:
            hours = limit.total_seconds() / 3600
            yield f"the newest {what} in it is of {iso(moment)}; one has to come within {hours:g} h"
    if newest.before is not None and (newest.backup or "") < newest.before:
        yield f"its newest backup was {newest.before}, and is {newest.backup or 'none'} now"
