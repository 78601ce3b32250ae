"""What tests of shipping share: a host on a server, and its segments opened again."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from backup.binlog.records import ShipmentBody
from backup.binlog.ship import ship
from backup.codec import unseal
from backup.context import Host
from backup.segment import Segment
from opsctl.core.canonical import canonical, sha256_hex
from opsctl.core.mariadb.binlog import FileScan, scan
from opsctl.core.mariadb.binlog_sequence import verify_sequence
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.pipeline import Sink
from opsctl.core.record import Record
from opsctl.core.store import Store
from tests.support.host import identity_file, make_host
from tests.support.mariadb import Server

LOGGING = ("--log-bin=bin", "--server-id=7", "--binlog-format=ROW")
TABLE = ("CREATE DATABASE IF NOT EXISTS shop", "CREATE TABLE IF NOT EXISTS shop.t (i INT PRIMARY KEY, b LONGTEXT)")


def shipping_host(directory: Path, server: Server, store: Store | None = None) -> Host:
    """A host on `server`, with a table to write to."""
    host = make_host(directory, server, store=store)
    server.sql(*TABLE)
    return host


def insert(server: Server, *keys: int, text: str = "x") -> None:
    server.sql(*(f"INSERT INTO shop.t VALUES ({key}, '{text}')" for key in keys))


def shipped_names(host: Host) -> list[str]:
    """Ship, and return the names of what this run shipped."""
    return [segment.name for segment in ship(host).body.segments]


def lineage(host: Host, number: int = -1) -> list[Segment]:
    """The segments of a lineage, by default of the newest; the chain of their records is verified."""
    catalog = host.catalog
    return catalog.segments(catalog.lineages()[number])


def opened(host: Host, directory: Path, segments: list[Segment]) -> list[tuple[str, FileScan]]:
    """Decrypt segments into `directory`, and scan them there."""
    scans = []
    for segment in segments:
        path = directory / segment.name
        with path.open("wb") as file:
            identity = identity_file(host.machine.state_dir.parent)
            sink = Sink(file.write)
            unseal(host.store, segment.key, segment.sealed, [sink], identity_files=[identity], timeout_s=60)
        scans.append((segment.name, scan(path)))
    return scans


def last_record(host: Host) -> Record[ShipmentBody]:
    """The newest record of a shipment."""
    return list(host.ledger.query("shipment"))[-1].record_of(ShipmentBody)


def with_timeout(host: Host, timeout_s: float) -> Host:
    return replace(host, binlog=host.binlog.model_copy(update={"timeout_s": timeout_s}))


def check_archive(host: Host, server: Server, tmp_path: Path, *, segments: int) -> None:
    """One lineage holds everything that the server wrote until its current log began."""
    found = lineage(host)
    assert len(host.catalog.lineages()) == 1
    assert len(found) == segments
    scans = opened(host, tmp_path, found)
    verify_sequence(scans)
    for segment, (_, file) in zip(found, scans, strict=True):
        assert (segment.first_state, segment.last_state) == (str(file.first_state), str(file.last_state))
        assert (segment.transactions, segment.end_position) == (file.transactions, file.end_position)
        assert (segment.first_time, segment.last_time) == (file.first_time, file.last_time)
        assert segment.sealed.plain_size == file.size
    assert BinlogState.parse(server.value("SELECT @@gtid_binlog_state")) == scans[-1][1].last_state
    for before, after in pairwise(found):
        assert after.previous == sha256_hex(canonical(before))
