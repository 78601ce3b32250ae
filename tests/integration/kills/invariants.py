"""What holds at every moment, whatever was killed: and what the next run leaves behind."""

import os
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pymysql

from backup.binlog.gaps import find_gaps
from backup.checkpoints import verify_ledger
from backup.verify import verify_backup
from opsctl.core.ledger import SqliteLedger
from opsctl.core.progress import Silent
from opsctl.core.store.directory import DirectoryStore
from opsctl.core.verdict import Verdict
from opsctl.overview import wire
from restore_drill.report import DRILLS
from restore_drill.trust import HeadMemory, check_head
from tests.integration.kills.machine import Machine
from tests.support.host import STACK
from tests.support.mariadb import Server

_PROCESS_END_S = 30.0
_COMMIT_TIMEOUT_S = 10
LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Published:
    """What can be seen of a machine: backups, segments, drills, and the number of records in its ledger."""

    backups: frozenset[str]
    segments: frozenset[str]
    drills: frozenset[str]
    records: int

    def lost(self, later: "Published") -> list[str]:
        """What was there and is not any more."""
        sets = ((self.backups, later.backups), (self.segments, later.segments), (self.drills, later.drills))
        lost = [name for before, after in sets for name in before - after]
        return lost + (["records of the ledger"] if later.records < self.records else [])


def published(machine: Machine) -> Published:
    """Look at a machine, everything verified: signatures, chains, every archive's size and hash.

    Raises OpsError or AssertionError for what does not hold.
    """
    settings = machine.settings
    catalog = wire.catalog(settings)
    scrap = SqliteLedger(machine.directory / "scrap.sqlite")
    ids = catalog.backup_ids()
    for backup_id in ids:
        record = verify_backup(catalog, backup_id, ledger=scrap, progress=Silent())
        assert not record.body.problems, record.body.problems
    assert find_gaps(catalog) == []
    ledger = wire.ledger(settings)
    if ledger.log_id() is not None:
        state = verify_ledger(ledger, wire.store(settings), STACK, wire.verifier(settings))
        assert state.verdict is not Verdict.BROKEN, state.broken
    check_head(catalog, HeadMemory(machine.state, STACK, "local").recall())
    segments = [segment.key for ref in catalog.lineages() for segment in catalog.segments(ref)]
    drills = [drill.body.id for drill in DRILLS.all(catalog)]
    records = sum(1 for _ in ledger.query())
    return Published(frozenset(ids), frozenset(segments), frozenset(drills), records)


def leftovers(machine: Machine) -> list[str]:
    """Everything that a run makes only for itself, and the archives of backups that do not exist."""
    catalog = wire.catalog(machine.settings)
    exist = set(catalog.backup_ids())
    assert isinstance(catalog.store, DirectoryStore)
    backups = [path for path in (machine.repository / STACK / "backups").glob("*") if path.name not in exist]
    partials = list((machine.repository / STACK / "backups").rglob(".partial-*"))
    memories = [
        path for name in ("lsn", "files") for path in (machine.state / name).glob("*") if path.name not in exist
    ]
    scratch = [*machine.scratch.iterdir(), *machine.directory.glob(".opsctl-restore-*")]
    state = [path for path in machine.state.rglob(".*") if path.name.startswith((".snapshot", ".ledger"))]
    return [str(path) for path in (*backups, *partials, *memories, *scratch, *state)]


def wait_for_the_end_of(session: int, machine: Machine) -> None:
    """Wait until nothing runs any more that a killed command had started; it has to end by itself."""
    deadline = time.monotonic() + _PROCESS_END_S
    for pid in list(_running(session, machine)):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ended, f"still running: {_command_line(pid)}"
        finally:
            os.close(descriptor)


def _running(session: int, machine: Machine) -> Iterator[int]:
    """Processes of a session, and those of others that name something of the machine (sandboxes)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
                found = int(status[3]) == session or f"{machine.directory}/" in _command_line(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
            if found and status[0] != "Z":
                yield int(entry.name)


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def commits_go_through(server: Server) -> None:
    """Nothing holds the database's locks."""
    with server.connect(read_timeout=_COMMIT_TIMEOUT_S) as connection, connection.cursor() as cursor:
        try:
            cursor.execute("REPLACE INTO shop.t VALUES (0, 'a commit')")
        except pymysql.MySQLError as error:
            raise AssertionError(f"the database is held: {error}") from error


def unowned_plain_text(base: Path) -> set[str]:
    """Directories of decrypted binary logs whose makers are gone: nobody holds their lock."""
    if not base.exists():
        return set()
    held = {line.split()[5].rpartition(":")[2] for line in LOCKS.read_text().splitlines() if "FLOCK" in line}
    found = set()
    for path in base.iterdir():
        try:
            if str(path.stat().st_ino) not in held:
                found.add(path.name)
        except FileNotFoundError:
            continue
    return found
