"""Ship binary logs: heartbeat, flush, fetch, verify, seal, sign; one run of it."""

import time
from dataclasses import dataclass
from datetime import timedelta

from backup import layout
from backup.binlog.heartbeat import HeartbeatMemory
from backup.binlog.lineage import full_backup_due
from backup.binlog.records import KIND, VERSION, ShipmentBody
from backup.binlog.session import Heartbeat, session
from backup.binlog.shipper import Shipper
from backup.context import Host
from backup.heads import publish_head
from backup.segment import Head
from opsctl.core.clock import iso, utcnow
from opsctl.core.errors import ExitCode, IntegrityError, OpsError
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.room import needing_room

_COULD_NOT_RUN = {ExitCode.USAGE, ExitCode.AUTH, ExitCode.UNREACHABLE}
_LEFTOVER_AGE = timedelta(hours=1)


@dataclass(frozen=True)
class Shipment:
    """What one run shipped (`body`, as in the ledger), and the head that states what the repository holds since."""

    body: ShipmentBody
    head: Head


class LineageBrokenError(IntegrityError):
    """The server's logs do not continue those that were shipped. All there is was shipped: `shipment`."""

    def __init__(self, shipment: Shipment) -> None:
        super().__init__(
            f"a gap in the binary log: {'; '.join(shipment.body.gaps)}",
            where=shipment.body.server,
            hint="what follows the gap can be restored only onto a new full backup: opsctl backup run",
        )
        self.shipment = shipment


def ship(host: Host, *, lock_wait_s: float = 0.0) -> Shipment:
    """Ship every binary log that is not shipped yet, the one being written included; leave a record in the ledger.

    Each run proves a recovery point: it writes the host's time into the heartbeat table, and the segment that holds it
    is in the repository when the run ends. Safe at any time and after any crash. Raises LineageBrokenError (exit code
    12) when it had to begin another lineage, and whatever kept it from ending; the record says so as well, except when
    another run holds the lock (LockedError).
    """
    with lock(host.machine.lock_dir, f"ship-{host.stack.name}", doing="shipping binary logs", wait_s=lock_wait_s):
        run = _Run(host)
        try:
            with needing_room(host.machine.state_dir):
                shipment = run.ship()
        except OpsError as error:
            run.record(error)
            raise
        run.record()
    if shipment.body.gaps:
        raise LineageBrokenError(shipment)
    return shipment


class _Run:
    """One run: what it knows when it ends, well or badly, goes into its record."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._started = utcnow()
        self._deadline = time.monotonic() + host.binlog.timeout_s
        self._memory = HeartbeatMemory(host.machine.state_dir, host.stack.name)
        self._shipper: Shipper | None = None
        self._server: str | None = None
        self._heartbeat: Heartbeat | None = None
        self._due: str | None = None

    def ship(self) -> Shipment:
        """Ship what is closed, then write a heartbeat, flush, and ship that.

        In this order because a flush lets the server purge old logs, which after days without a shipment would be the
        very ones that are needed.
        """
        self._host.signer.check()
        self._remove_leftovers()
        shipper = self._shipper = Shipper(self._host, self._memory, self._remaining)
        with session(self._host.database, timeout_s=self._remaining()) as server:
            server.refuse_unsupported()
            listing = server.listing()
        self._server = listing.server
        shipper.ship_closed(listing)
        with session(self._host.database, timeout_s=self._remaining()) as server:
            beat = server.heartbeat(utcnow())
            self._memory.remember(beat)
            server.flush()
            listing = server.listing()
        shipper.ship_closed(listing)
        self._check_end(shipper, beat)
        self._heartbeat = beat
        head = publish_head(self._host)
        self._due = full_backup_due(self._host.catalog)
        return Shipment(self._body(), head)

    def record(self, error: OpsError | None = None) -> None:
        """Append what happened to the ledger."""
        body, finished = self._body(error), utcnow()
        outcome = Outcome.FAILED if error is not None or body.gaps else Outcome.PASSED
        if error is not None and error.exit_code in _COULD_NOT_RUN:
            outcome = Outcome.COULD_NOT_RUN
        fresh = finished + timedelta(minutes=self._host.binlog.fresh_min)
        self._host.ledger.append(
            Record[ShipmentBody](
                kind=KIND,
                version=VERSION,
                subject=self._host.stack.name,
                started=self._started,
                finished=finished,
                outcome=outcome,
                fresh_until=fresh if outcome is Outcome.PASSED else None,
                body=body,
            )
        )

    def _check_end(self, shipper: Shipper, beat: Heartbeat) -> None:
        """Raise IntegrityError unless the run ends with the heartbeat sealed."""
        if shipper.broken is not None:
            raise IntegrityError(
                f"the binary log ends in a file that cannot be shipped: {shipper.broken}",
                where=self._server,
                hint="take a full backup now: opsctl backup run; then look at the server's disk and its error log",
            )
        if shipper.heartbeat is not None and shipper.heartbeat > beat.at:
            raise IntegrityError(
                f"this machine's clock was set back: it says {iso(beat.at)}, and the newest heartbeat that is sealed"
                f" is of {iso(shipper.heartbeat)}",
                where=self._server,
                hint="look at it: timedatectl; everything was shipped, the next run proves it: opsctl binlog ship",
            )
        if shipper.heartbeat != beat.at:
            raise IntegrityError(
                f"the heartbeat of {iso(beat.at)}, transaction {beat.gtid}, is in none of the shipped logs",
                where=self._server,
                hint="did somebody run RESET MASTER meanwhile? run: opsctl binlog ship",
            )

    def _body(self, error: OpsError | None = None) -> ShipmentBody:
        return ShipmentBody(
            server=self._server,
            segments=tuple(self._shipper.segments) if self._shipper else (),
            heartbeat=self._heartbeat.at if self._heartbeat else None,
            gaps=tuple(self._shipper.gaps) if self._shipper else (),
            full_backup_due=self._due,
            error=str(error) if error else None,
        )

    def _remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise OpsError(
                f"the shipment was given up after {self._host.binlog.timeout_s:g} s",
                hint="what was sealed stays, and the next run goes on from there; or raise binlog.timeout_s",
            )
        return left

    def _remove_leftovers(self) -> None:
        """Remove what killed runs left half-written in the local repository. Others remove their own."""
        prefix = layout.segments(self._host.stack.name)
        self._host.store.remove_partials(prefix, older_than=utcnow() - _LEFTOVER_AGE)
