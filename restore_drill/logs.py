"""The binary logs that follow a backup: found, opened, scanned, proved to be without a gap before any is applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backup.catalog import Catalog, LineageRef
from backup.codec import unseal
from backup.manifest import Database, Manifest
from backup.segment import Segment
from opsctl.core.clock import iso
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.mariadb.binlog import FileScan, scan
from opsctl.core.mariadb.binlog_sequence import verify_sequence
from opsctl.core.mariadb.binlog_targets import TargetError, state_at
from opsctl.core.mariadb.gtid import BinlogState, Gtid
from opsctl.core.pipeline import Sink
from opsctl.core.sandbox import give_to_sandbox
from restore_drill.context import DrillHost
from restore_drill.fetch import identities
from restore_drill.hostile import new_file


class GapError(IntegrityError):
    """The archive lacks a part of the binary log between the backup and the target."""


@dataclass(frozen=True)
class Opened:
    """One opened segment: its record, its file, what a scan found in it."""

    segment: Segment
    path: Path
    scan: FileScan


@dataclass(frozen=True)
class Logs:
    """Verified binary logs in sequence; the backup ended at offset `start` (bytes) of the first, in `state`.

    `files` is empty when nothing was shipped since the backup. `warnings`: what else the archive holds that cannot be
    applied to this backup.
    """

    files: tuple[Opened, ...]
    start: int
    state: BinlogState
    warnings: tuple[str, ...]

    @property
    def paths(self) -> list[Path]:
        """The files, in sequence."""
        return [file.path for file in self.files]


def open_logs(
    host: DrillHost,
    catalog: Catalog,
    manifest: Manifest,
    directory: Path,
    *,
    until: Gtid | None = None,
    timeout_s: float,
) -> Logs:
    """Open what was shipped since a backup into `directory`, up to the segment that holds `until` or to the end.

    Raises GapError or another IntegrityError when what is there is not the whole log, or not what its records say;
    OpsError for a backup of a server without a binary log.
    """
    database = manifest.database
    if database.binlog_file is None or database.binlog_position is None:
        raise OpsError(
            f"backup {manifest.id} is of a server without a binary log, so nothing can be replayed on it",
            hint="restore it without --at, --gtid or --latest",
        )
    state = BinlogState.parse(database.gtid_state)
    lineages = {ref: catalog.segments(ref) for ref in catalog.lineages()}
    opener = _Opener(host, directory, timeout_s)
    for ref in reversed(lineages):
        for first in _candidates(lineages[ref], database):
            file = opener.open(first)
            if _continues(file, database.binlog_position, state):
                rest = _wanted([segment for segment in lineages[ref] if segment.number > first.number], until)
                files = (file, *(opener.open(segment) for segment in rest))
                _verify([*files])
                return Logs(files, database.binlog_position, state, _beyond(ref, lineages))
    _require_nothing_shipped(manifest, lineages)
    return Logs((), database.binlog_position, state, (f"nothing was shipped since backup {manifest.id}",))


class _Opener:
    """Opens segments into a directory in which the sandbox can read them."""

    def __init__(self, host: DrillHost, directory: Path, timeout_s: float) -> None:
        self._host = host
        self._directory = directory
        self._timeout_s = timeout_s

    def open(self, segment: Segment) -> Opened:
        """Open and scan one segment. Raises IntegrityError when its record does not describe it."""
        path = self._directory / f"{segment.number:08d}"
        with new_file(path) as file:
            unseal(
                self._host.store,
                segment.key,
                segment.sealed,
                [Sink(file.write)],
                identity_files=identities(self._host, "binary log"),
                timeout_s=self._timeout_s,
                advance=self._host.progress.advance,
            )
        give_to_sandbox(self._directory)
        return Opened(segment, path, scan(path))


def _candidates(segments: Sequence[Segment], database: Database) -> list[Segment]:
    """The segments that may hold the backup's position; after RESET MASTER several have one name."""
    position = database.binlog_position or 0
    return [
        segment
        for segment in reversed(segments)
        if segment.name == database.binlog_file and segment.sealed.plain_size >= position
    ]


def _continues(file: Opened, position: int, state: BinlogState) -> bool:
    """Whether the backup's position in this file has the state that the backup has."""
    try:
        return state_at(file.path, position) == state
    except TargetError:
        return False


def _wanted(segments: Sequence[Segment], until: Gtid | None) -> Sequence[Segment]:
    if until is None:
        return segments
    for number, segment in enumerate(segments, start=1):
        if BinlogState.parse(segment.last_state).covers(until):
            return segments[:number]
    return segments


def _verify(files: Sequence[Opened]) -> None:
    """No gap, no file other than its record says, and no half transaction at the end, where none would notice."""
    for file in files:
        _verify_record(file.segment, file.scan)
    verify_sequence([(file.segment.name, file.scan) for file in files])
    last = files[-1]
    if last.scan.ends_inside_transaction:
        raise IntegrityError(
            f"{last.segment.name} ends inside the transaction after offset {last.scan.end_position}",
            where=last.segment.key,
            hint="it was cut before it was sealed: take a full backup",
        )


def _verify_record(segment: Segment, found: FileScan) -> None:
    for what, recorded, scanned in (
        ("state at its head", BinlogState.parse(segment.first_state), found.first_state),
        ("state at its end", BinlogState.parse(segment.last_state), found.last_state),
        ("last transaction's end", segment.end_position, found.end_position),
        ("number of transactions", segment.transactions, found.transactions),
    ):
        if recorded != scanned:
            raise IntegrityError(
                f"{segment.name} is not what its record says: the {what} is {scanned}, not {recorded}",
                where=segment.key,
            )


def _beyond(ref: LineageRef, lineages: dict[LineageRef, list[Segment]]) -> tuple[str, ...]:
    """Say what later lineages hold: it cannot be applied, and nobody should believe it was."""
    later = [*lineages][[*lineages].index(ref) + 1 :]
    return tuple(
        f"lineage {other.lineage}, begun because {lineages[other][0].lineage_reason}, goes on to "
        f"{iso(lineages[other][-1].sealed_at)} and cannot be applied to this backup: restore a later one"
        for other in later
        if lineages[other]
    )


def _require_nothing_shipped(manifest: Manifest, lineages: dict[LineageRef, list[Segment]]) -> None:
    shipped = [segment for segments in lineages.values() for segment in segments]
    later = next((segment for segment in shipped if segment.sealed_at > manifest.finished), None)
    if later is not None:
        name, position = manifest.database.binlog_file, manifest.database.binlog_position
        raise GapError(
            f"{name}, in which backup {manifest.id} ended at {position}, is not among the shipped binary logs, and"
            f" {later.name}, shipped later, is",
            where=later.key,
            hint="if a shipment is running, wait for it; else restore a later backup, or this one without replay",
        )
