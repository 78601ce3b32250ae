"""Copy the host's repository into another: what is missing there, in order, each object read back.

A run that was killed or cut off is finished by the next: what is there is not sent again, and what nothing says was
read back is read back first.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup import layout
from backup.catalog import Catalog
from backup.context import Host
from backup.copies.locks import due_again, extend_locks, locked_until
from backup.copies.records import KIND, VERSION, CopyBody
from backup.copies.throttle import Throttle
from backup.copies.transfer import transfer
from backup.copies.units import Item, Lane, Listing, Unit, head_unit, listing, pruned_there, units
from backup.retention.pruned import newest_pruned
from backup.settings import CopySection
from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode, IntegrityError, OpsError
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.store import LockingStore, Store, Stored

LANES: tuple[Lane, ...] = ("logs", "backups")
LEFTOVER_AGE = timedelta(days=2)
_COULD_NOT_RUN = {ExitCode.AUTH, ExitCode.UNREACHABLE, ExitCode.LOCKED, ExitCode.USAGE}


@dataclass(frozen=True)
class Destination:
    """Another repository; `retain` is for how long it keeps what it receives from everybody, if it does."""

    name: str
    store: Store
    off_host: bool
    retain: timedelta | None = None

    @property
    def locking(self) -> LockingStore | None:
        """The store, if it locks."""
        return self.store if self.retain is not None and isinstance(self.store, LockingStore) else None


@dataclass(frozen=True)
class Backlog:
    """What is missing in a repository: objects, bytes, and when the oldest of it was published here (UTC)."""

    objects: int
    size: int
    oldest: datetime | None


def copy_to(
    host: Host,
    destination: Destination,
    settings: CopySection,
    *,
    lanes: Sequence[Lane] = LANES,
    lock_wait_s: float = 0.0,
) -> Record[CopyBody]:
    """Copy what is missing; return the record of it, which is in the ledger then.

    It never raises an OpsError: a copy that fails says so in its record, and the backup is none the worse for it. It
    has failed when something there or here is not what it should be, and could not run when the other side does not
    answer, refuses, or is being copied to by another run.
    """
    run = _Run(host, destination, settings)
    try:
        for lane in lanes:
            name = f"copy-{host.stack.name}-{destination.name}-{lane}"
            with lock(host.machine.lock_dir, name, doing=f"copying to {destination.name}", wait_s=lock_wait_s):
                run.lane(lane)
        run.head()
        if "backups" in lanes:
            run.keep_locked()
    except OpsError as error:
        run.stopped(error)
    return run.record(lanes, timedelta(minutes=settings.fresh_min))


def backlog_of(catalog: Catalog, there: Listing, here: Listing, skip: Container[str] = ()) -> Backlog:
    """What is missing in a repository with these objects; `skip` are documents that were pruned there."""
    wanted = (unit for lane in LANES for unit in units(catalog, here, lane) if unit.document not in skip)
    missing = {key for unit in wanted for key in _missing(unit, here, there)}
    return Backlog(
        len(missing), sum(here[key].size for key in missing), min((here[key].modified for key in missing), default=None)
    )


def look_at(host: Host, destination: Destination) -> Backlog:
    """What a copy would send. Raises what the stores raise."""
    elsewhere = Catalog(destination.store, host.stack.name, host.verifier)
    here = listing(host.catalog)
    skip = pruned_there(host.catalog, here, newest_pruned(elsewhere, destination.name))
    return backlog_of(host.catalog, listing(elsewhere), here, skip)


def _missing(unit: Unit, here: Listing, there: Listing) -> list[str]:
    """The unit's own keys that are not there, or not in their size; one that is being made anew is never there."""
    return [key for key in unit.keys if key in here and (key not in there or there[key].size != here[key].size)]


class _Run:
    """One run: what it knows when it ends, well or badly, goes into its record."""

    def __init__(self, host: Host, destination: Destination, settings: CopySection) -> None:
        self.host = host
        self.destination = destination
        self.started = utcnow()
        self.there_catalog = Catalog(destination.store, host.stack.name, host.verifier)
        self.here: dict[str, Stored] = {}
        self.there: dict[str, Stored] = {}
        self.skip: frozenset[str] = frozenset()
        self.throttle = Throttle(settings.bytes_per_s)
        self.objects = self.size = self.locks = 0
        self.locked_until: datetime | None = None
        self.problems: list[str] = []
        self.outcome = Outcome.PASSED
        self.looked_at: datetime | None = None

    def lane(self, lane: Lane) -> None:
        """Copy all units of a lane, past those that cannot be. Raises OpsError when going on would help nobody."""
        stack = self.host.stack.name
        if lane == "backups":
            self.destination.store.remove_partials(f"{stack}/", older_than=utcnow() - LEFTOVER_AGE)
        now = utcnow()
        self.here, self.there = listing(self.host.catalog), listing(self.there_catalog)
        self.looked_at = now
        self._look_what_was_pruned()
        failed: set[str] = set()
        for unit in units(self.host.catalog, self.here, lane):
            if unit.sequence in failed or unit.document in self.skip or not _missing(unit, self.here, self.there):
                continue
            try:
                self._copy(unit)
            except IntegrityError as error:
                self._failed(error)
                failed |= {unit.sequence} if unit.sequence else set()

    def head(self) -> None:
        """State there how far it reaches, once it does."""
        unit = head_unit(self.host.catalog, self.here, self.there, self.skip)
        if unit is not None:
            self._copy(unit)

    def keep_locked(self) -> None:
        """Keep the newest backup there locked, also when no newer one comes; note until when it is."""
        locking, retain, stack = self.destination.locking, self.destination.retain, self.host.stack.name
        prefix, ending = layout.backups(stack), f"/{layout.MANIFEST}"
        newest = max((key for key in self.there if key.startswith(prefix) and key.endswith(ending)), default=None)
        if locking is None or retain is None or newest is None:
            return
        backup_id = newest[len(prefix) : -len(ending)]
        if due_again(self.there_catalog, backup_id, locking, retain):
            self.locks += extend_locks(self.there_catalog, backup_id, locking, retain)
        self.locked_until = locked_until(self.there_catalog, backup_id, locking)

    def stopped(self, error: OpsError) -> None:
        """Note what ended the run."""
        could_not = error.exit_code in _COULD_NOT_RUN and self.outcome is Outcome.PASSED
        self._failed(error)
        self.outcome = Outcome.COULD_NOT_RUN if could_not else Outcome.FAILED

    def record(self, lanes: Sequence[Lane], fresh: timedelta) -> Record[CopyBody]:
        """Append what happened to the ledger."""
        finished = utcnow()
        left = None if self.looked_at is None else backlog_of(self.host.catalog, self.there, self.here, self.skip)
        record = Record[CopyBody](
            kind=KIND,
            version=VERSION,
            subject=self.host.stack.name,
            started=self.started,
            finished=finished,
            outcome=self.outcome,
            fresh_until=finished + fresh if self.outcome is Outcome.PASSED else None,
            body=CopyBody(
                repository=self.destination.name,
                where=self.destination.store.where,
                complete="backups" in lanes,
                objects=self.objects,
                size=self.size,
                looked_at=self.looked_at,
                backlog=left.objects if left else None,
                backlog_size=left.size if left else None,
                oldest_missing=left.oldest if left else None,
                locks=self.locks,
                locked_until=self.locked_until,
                problems=tuple(self.problems),
            ),
        )
        self.host.ledger.append(record)
        return record

    def _look_what_was_pruned(self) -> None:
        """What whoever prunes there has let go is not sent again. What nobody trusted says is not believed."""
        try:
            pruned = newest_pruned(self.there_catalog, self.destination.name)
            self.skip = pruned_there(self.host.catalog, self.here, pruned)
        except IntegrityError as error:
            self._failed(error)

    def _copy(self, unit: Unit) -> None:
        """Copy a unit, its document last. Raises IntegrityError for one that is not whole here, or there."""
        contents = unit.contents()
        for key in contents.needs:
            if key not in self.there:
                raise IntegrityError(f"{unit.document} was not copied: it needs {key}, which is not there")
        total = sum(item.size for item in contents.items if item.key not in self.there)
        self.host.progress.step(f"Copying {unit.document} to {self.destination.name}", total_bytes=total)
        for item in contents.items:
            if not self._stands(unit, item):
                self._transfer(item)
        self._lock(unit)

    def _stands(self, unit: Unit, item: Item) -> bool:
        """Whether an archive of another backup is there already: its own manifest came after it was read back."""
        other = item.key.rpartition("/")[0] + f"/{layout.MANIFEST}"
        found = self.there.get(item.key)
        return item.key not in unit.keys and other in self.there and found is not None and found.size == item.size

    def _transfer(self, item: Item) -> None:
        host, target = self.host, self.destination.store
        sent = transfer(item, host.store, target, throttle=self.throttle, advance=host.progress.advance)
        self.objects += 1 if sent else 0
        self.size += sent
        self.there[item.key] = Stored(item.key, item.size, utcnow())

    def _lock(self, unit: Unit) -> None:
        """Lock what a backup needs for as long as the backup, which was locked as it was published."""
        locking, retain = self.destination.locking, self.destination.retain
        if locking is not None and retain is not None and unit.document.endswith(f"/{layout.MANIFEST}"):
            backup_id = unit.document.split("/")[-2]
            self.locks += extend_locks(self.there_catalog, backup_id, locking, retain)

    def _failed(self, error: OpsError) -> None:
        self.problems.append(str(error))
        self.outcome = Outcome.FAILED
