"""Shipping from servers that run as they should, whatever their days look like."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.binlog.heartbeat import HeartbeatMemory
from backup.binlog.records import ShipmentBody
from backup.binlog.session import session
from backup.binlog.ship import ship
from opsctl.core.canonical import canonical, sha256_hex
from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome
from tests.integration.binlog.servers import binlogs, expire_all, purge_to
from tests.integration.binlog.shipping import (
    LOGGING,
    check_archive,
    insert,
    last_record,
    lineage,
    shipped_names,
    shipping_host,
    with_timeout,
)
from tests.support.mariadb import Server, running_server


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(LOGGING) as server:
        yield server


def test_each_run_ships_what_was_written_since_the_one_before(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    insert(server, 1, 2)
    assert shipped_names(host) == ["bin.000001"]
    insert(server, 3)
    assert shipped_names(host) == ["bin.000002"]
    check_archive(host, server, tmp_path, segments=2)


def test_an_idle_server_gets_one_small_segment_a_run_which_proves_the_recovery_point(
    server: Server, tmp_path: Path
) -> None:
    host = shipping_host(tmp_path, server)
    runs = [ship(host) for _ in range(3)]
    assert [len(run.body.segments) for run in runs] == [1, 1, 1]
    assert all(run.body.segments[0].cipher_size < 2000 for run in runs[1:])
    first, second, third = lineage(host)
    assert [first.heartbeat, second.heartbeat, third.heartbeat] == [run.body.heartbeat for run in runs]
    assert [first.heartbeat_before, second.heartbeat_before] == [None, first.heartbeat]
    assert third.heartbeat is not None
    at = server.value("SELECT at FROM opsctl.heartbeat")
    assert at == third.heartbeat.replace(tzinfo=None)
    assert server.value("SELECT COUNT(*) FROM opsctl.heartbeat") == 1


def test_after_days_off_everything_is_shipped_in_order(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    for key in range(30):
        insert(server, key)
        server.sql("FLUSH BINARY LOGS")
    names = shipped_names(host)
    assert names == [f"bin.{number:06d}" for number in range(2, 33)]
    check_archive(host, server, tmp_path, segments=32)
    segments = lineage(host)
    assert [segment.heartbeat for segment in segments[1:-1]] == [None] * 30
    assert segments[-1].heartbeat_before == segments[0].heartbeat


def test_what_is_old_is_shipped_before_the_flush_lets_the_server_purge_it(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    for key in range(5):
        insert(server, key)
        server.sql("FLUSH BINARY LOGS")
    expire_all(server)
    ship(host)
    assert binlogs(server)[0] > "bin.000006"
    check_archive(host, server, tmp_path, segments=8)


def test_a_restart_and_a_crash_of_the_server_are_no_gap(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    insert(server, 1)
    server.restart()
    insert(server, 2)
    server.kill()
    server.start()
    insert(server, 3)
    assert len(shipped_names(host)) == 3
    server.restart()
    ship(host)
    check_archive(host, server, tmp_path, segments=6)


def test_the_last_shipped_file_may_be_purged(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    purge_to(server, "bin.000002")
    insert(server, 1)
    assert shipped_names(host) == ["bin.000002", "bin.000003"]
    check_archive(host, server, tmp_path, segments=3)


def test_numbers_beyond_999999_follow(server: Server, tmp_path: Path) -> None:
    server.sql("RESET MASTER TO 999998")
    host = shipping_host(tmp_path, server)
    for key in range(4):
        insert(server, key)
        ship(host)
    assert [segment.name for segment in lineage(host)] == ["bin.999998", "bin.999999", "bin.1000000", "bin.1000001"]
    check_archive(host, server, tmp_path, segments=4)


def test_files_without_transactions_are_shipped(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.sql("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    ship(host)
    assert [segment.transactions for segment in lineage(host)][1:] == [0, 0, 1]
    check_archive(host, server, tmp_path, segments=4)


def test_a_big_transaction_is_shipped(tmp_path: Path) -> None:
    with running_server([*LOGGING, "--max-allowed-packet=512M", "--max-binlog-size=4096"]) as server:
        host = shipping_host(tmp_path, server)
        server.sql(
            "SET SESSION max_statement_time = 0", "INSERT INTO shop.t VALUES (1, REPEAT('x', 100000000)), (2, 'y')"
        )
        ship(host)
        assert max(segment.sealed.plain_size for segment in lineage(host)) > 100_000_000
        check_archive(host, server, tmp_path, segments=len(lineage(host)))


def test_encrypted_binary_logs_are_shipped_decrypted_and_refetched_alike(tmp_path: Path) -> None:
    with running_server(LOGGING, encrypted=True) as server:
        host = shipping_host(tmp_path, server)
        for key in range(3):
            insert(server, key, text="findme")
            ship(host)
        check_archive(host, server, tmp_path, segments=3)
        assert b"findme" in (tmp_path / "bin.000002").read_bytes()
        assert b"findme" not in (server.datadir / "bin.000002").read_bytes()
        assert not any(b"findme" in path.read_bytes() for path in (tmp_path / "repository").rglob("*.age"))


def test_logs_without_checksums_are_shipped_and_said_to_be_so(tmp_path: Path) -> None:
    with running_server([*LOGGING, "--binlog-checksum=NONE"]) as server:
        host = shipping_host(tmp_path, server)
        insert(server, 1)
        ship(host)
        server.sql("SET GLOBAL binlog_checksum = CRC32")
        ship(host)
        bodies = [entry.record_of(ShipmentBody).body for entry in host.ledger.query("shipment")]
        checksummed = [segment.checksummed for body in bodies for segment in body.segments]
        assert checksummed == [False, False, True]
        check_archive(host, server, tmp_path, segments=3)


@pytest.mark.parametrize("form", ["STATEMENT", "MIXED"])
def test_the_heartbeat_is_found_whatever_the_format(tmp_path: Path, form: str) -> None:
    with running_server([*LOGGING, f"--binlog-format={form}", "--default-time-zone=+05:30"]) as server:
        host = shipping_host(tmp_path, server)
        run = ship(host)
        assert lineage(host)[-1].heartbeat == run.body.heartbeat


def test_a_heartbeat_whose_run_failed_is_found_days_later(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    with session(host.database, timeout_s=60) as connected:
        beat = connected.heartbeat(utcnow())
        connected.flush()
    HeartbeatMemory(host.machine.state_dir, host.stack.name).remember(beat)
    ship(host)
    assert [segment.heartbeat == beat.at for segment in lineage(host)] == [False, True, False]


def test_each_run_leaves_a_record_that_is_fresh_for_a_while_and_a_head(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    run = ship(host)
    record = last_record(host)
    assert (record.outcome, record.subject, record.body) == (Outcome.PASSED, "acme", run.body)
    assert record.fresh_until is not None
    assert (record.fresh_until - record.finished).total_seconds() == host.binlog.fresh_min * 60
    head = host.catalog.newest_head()
    assert head == run.head
    assert (head.segments, head.last_record) == (1, sha256_hex(canonical(lineage(host)[0])))


def test_a_run_that_takes_too_long_goes_on_next_time(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    with pytest.raises(OpsError, match="given up after 1e-06 s"):
        ship(with_timeout(host, 1e-6))
    assert last_record(host).outcome is Outcome.FAILED
    ship(host)
