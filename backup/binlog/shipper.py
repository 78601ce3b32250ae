"""Appends closed binary logs to the newest lineage, and begins another when they cannot continue it."""

from datetime import datetime

from backup.binlog.fetch import BinlogGoneError, DamagedBinlogError
from backup.binlog.heartbeat import HeartbeatMemory
from backup.binlog.ids import id_at, moment_after
from backup.binlog.lineage import End, Plan, break_after, break_between, newest_end, plan
from backup.binlog.records import ShippedSegment
from backup.binlog.seal import Place, Remaining, fetch_verified, seal_segment, sha256_of
from backup.binlog.session import BinlogFile, Listing
from backup.binlog.space import private_space
from backup.context import Host
from backup.segment import Segment
from opsctl.core.mariadb.binlog import FileScan


class Shipper:
    """What one run of shipping has done so far.

    `segments` were sealed by it. `gaps` says why the lineages that it began could not continue the one before; the
    first lineage of all is no gap. `broken` says why the next file has to begin another.
    """

    def __init__(self, host: Host, memory: HeartbeatMemory, remaining: Remaining) -> None:
        """Read where the newest lineage ends. Raises IntegrityError when that record does not hold."""
        self._host = host
        self._memory = memory
        self._remaining = remaining
        self._end = newest_end(host.catalog)
        self._rechecked = False
        self.segments: list[ShippedSegment] = []
        self.gaps: list[str] = []
        self.broken: str | None = None

    def ship_closed(self, listing: Listing) -> None:
        """Seal, in order, every closed file of the server that is not sealed yet. Safe to call again."""
        last = self._end.segment if self._end else None
        todo = plan(last, listing)
        if last is not None and todo.broken is None and not self._rechecked:
            todo = self._recheck(last, listing, todo)
        self._rechecked = True
        self.broken = self.broken or todo.broken
        for file in todo.files:
            self._ship(listing.server, file)

    @property
    def heartbeat(self) -> datetime | None:
        """The newest heartbeat that is sealed in the newest lineage (UTC)."""
        return self._end.segment.heartbeat or self._end.segment.heartbeat_before if self._end else None

    def _recheck(self, last: Segment, listing: Listing, todo: Plan) -> Plan:
        """Fetch the last shipped file once more, if it is still there: a rebuilt server uses the same names again."""
        again = next((file for file in listing.closed if file.name == last.name), None)
        if again is None:
            return todo
        with private_space(self._host.machine, again.size) as directory:
            try:
                fetched = fetch_verified(self._host, again, directory, self._remaining)
            except BinlogGoneError:
                return todo
            except DamagedBinlogError as error:
                return Plan(listing.closed, f"{last.name} was shipped and is no longer whole: {error.message}")
            if sha256_of(fetched.path) != last.sealed.plain_sha256:
                return Plan(listing.closed, f"{last.name} has other bytes than were shipped")
            return Plan(todo.files, break_after(last.name, fetched.scan))

    def _ship(self, server: str, file: BinlogFile) -> None:
        self._host.progress.step(f"Shipping {file.name}", total_bytes=file.size)
        with private_space(self._host.machine, file.size) as directory:
            try:
                fetched = fetch_verified(self._host, file, directory, self._remaining)
            except DamagedBinlogError as error:
                # Replay cannot pass it, so the lineage ends before it and the next file begins another.
                self.broken = self.broken or error.message
                return
            broken = self.broken or self._break_before(file.name, fetched.scan)
            place = self._place(server, broken)
            end = seal_segment(self._host, fetched, place, self._memory.newest_in(fetched.scan), self._remaining)
        self._take(end, fetched.checksummed)
        self.broken = break_after(file.name, fetched.scan)

    def _break_before(self, name: str, scan: FileScan) -> str | None:
        return break_between(self._end.segment, name, scan) if self._end else None

    def _place(self, server: str, broken: str | None) -> Place:
        """Where the next segment goes: after the last one, or at the beginning of another lineage."""
        if self._end is not None and broken is None:
            last = self._end.segment
            return Place(last.server, last.lineage, last.lineage_reason, self._end)
        newest = self._end.segment.lineage if self._end else None
        return Place(server, id_at(moment_after(newest)), broken or "", None)

    def _take(self, end: End, checksummed: bool) -> None:
        segment, first_of_all = end.segment, self._end is None
        self._end = end
        if segment.number == 1 and not first_of_all:
            self.gaps.append(segment.lineage_reason)
        if segment.heartbeat is not None:
            self._memory.forget_until(segment.heartbeat)
        self.segments.append(
            ShippedSegment(
                lineage=segment.lineage,
                number=segment.number,
                name=segment.name,
                plain_size=segment.sealed.plain_size,
                cipher_size=segment.sealed.cipher_size,
                transactions=segment.transactions,
                last_state=segment.last_state,
                checksummed=checksummed,
            )
        )
