"""What shipping says when it cannot: which exit code, what to type next, and a record of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.binlog.fetch import DamagedBinlogError
from backup.binlog.heartbeat import HeartbeatMemory
from backup.binlog.seal import fetch_verified
from backup.binlog.session import BinlogFile
from backup.binlog.ship import ship
from opsctl.core.errors import AuthError, ExitCode, LockedError, OpsError, SettingsError, UnreachableError
from opsctl.core.locks import lock
from opsctl.core.result import Outcome
from opsctl.core.store.directory import DirectoryStore, DirectoryUpload
from tests.integration.binlog.servers import frozen
from tests.integration.binlog.shipping import (
    LOGGING,
    check_archive,
    last_record,
    shipping_host,
    with_timeout,
)
from tests.support.mariadb import Server, running_server


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(LOGGING) as server:
        yield server


def fix(server: Server, error: OpsError) -> None:
    """Do what the hint says, word for word."""
    assert error.hint is not None
    for statement in error.hint.split(": ", 1)[1].split("; "):
        server.sql(statement)


def test_a_wrong_password_is_refused_recorded_and_never_shown(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    assert host.database.ship_password_file is not None
    host.database.ship_password_file.write_text("not-the-password")
    with pytest.raises(AuthError, match="Access denied for user 'opsctl_ship'") as caught:
        ship(host)
    assert caught.value.exit_code is ExitCode.AUTH
    record = last_record(host)
    assert record.outcome is Outcome.COULD_NOT_RUN
    assert record.fresh_until is None
    assert record.body.error == str(caught.value)
    assert "not-the-password" not in str(caught.value) + str(record)


@pytest.mark.parametrize(
    ("privilege", "on"),
    [
        ("RELOAD", "*.*"),
        ("BINLOG MONITOR", "*.*"),
        ("REPLICATION SLAVE", "*.*"),
        ("SELECT, INSERT, UPDATE", "opsctl.heartbeat"),
        ("UPDATE", "opsctl.heartbeat"),
    ],
)
def test_each_missing_privilege_is_named_with_the_statement_that_grants_it(
    server: Server, tmp_path: Path, privilege: str, on: str
) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.sql(f"REVOKE {privilege} ON {on} FROM opsctl_ship@localhost")
    with pytest.raises(AuthError, match=f"lacks .*{privilege.split(',', maxsplit=1)[0]}") as caught:
        ship(host)
    fix(server, caught.value)
    ship(host)


def test_a_missing_heartbeat_table_comes_with_the_statements_that_make_it(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    server.sql("DROP TABLE opsctl.heartbeat")
    with pytest.raises(SettingsError, match="no heartbeat table") as caught:
        ship(host)
    assert last_record(host).outcome is Outcome.COULD_NOT_RUN
    fix(server, caught.value)
    ship(host)


def test_a_server_without_a_binary_log_is_told_what_to_set(tmp_path: Path) -> None:
    with running_server(["--server-id=7"]) as server:
        host = shipping_host(tmp_path, server)
        with pytest.raises(SettingsError, match="writes no binary log") as caught:
            ship(host)
        assert "log_bin" in (caught.value.hint or "")
        server.restart(LOGGING)
        ship(host)


def test_a_binary_log_that_leaves_out_the_heartbeat_is_refused(tmp_path: Path) -> None:
    with running_server([*LOGGING, "--binlog-ignore-db=opsctl"]) as server:
        host = shipping_host(tmp_path, server)
        with pytest.raises(SettingsError, match="into no binary log") as caught:
            ship(host)
        assert "binlog_ignore_db" in (caught.value.hint or "")


def test_a_server_that_is_down_is_unreachable(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.stop()
    with pytest.raises(UnreachableError) as caught:
        ship(host)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert last_record(host).outcome is Outcome.COULD_NOT_RUN
    server.start()
    ship(host)


def test_a_server_that_hangs_is_unreachable_when_the_time_is_over(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    with frozen(server), pytest.raises(UnreachableError):
        ship(with_timeout(host, 1))
    ship(host)
    check_archive(host, server, tmp_path, segments=2)


def test_a_second_run_at_the_same_time_is_told_who_ships(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    held = lock(host.machine.lock_dir, "ship-acme", doing="shipping binary logs")
    with held, pytest.raises(LockedError, match="shipping binary logs, by"):
        ship(host)
    assert list(host.ledger.query("shipment")) == []
    ship(host)


class FlippingUpload(DirectoryUpload):
    """A disk that returns other bytes than it was given."""

    def write(self, data: memoryview | bytes) -> None:
        changed = bytearray(data)
        changed[-1] ^= 1
        super().write(bytes(changed))


class FlippingStore(DirectoryStore):
    def create(self, key: str, *, retain_until: object = None) -> DirectoryUpload:
        if not key.endswith(".age"):
            return super().create(key)
        super().create(key).abort()
        return FlippingUpload(self, key, self.directory / key)


def test_an_archive_that_reads_back_with_other_bytes_never_becomes_a_segment(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server, FlippingStore(tmp_path / "repository"))
    with pytest.raises(OpsError, match="reads back with other bytes") as caught:
        ship(host)
    assert caught.value.exit_code is ExitCode.INTEGRITY
    assert last_record(host).outcome is Outcome.FAILED
    assert host.catalog.lineages() == []
    host = shipping_host(tmp_path, server)
    ship(host)
    check_archive(host, server, tmp_path, segments=2)


def test_a_full_disk_fails_the_run_and_the_next_one_completes_it(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server, FullStore(tmp_path / "repository"))
    with pytest.raises(OpsError, match="No space left on device"):
        ship(host)
    assert last_record(host).outcome is Outcome.FAILED
    host = shipping_host(tmp_path, server)
    ship(host)
    check_archive(host, server, tmp_path, segments=2)


class FullUpload(DirectoryUpload):
    """A disk without room."""

    def __init__(self, store: DirectoryStore, key: str, path: Path) -> None:
        super().__init__(store, key, path)
        os.close(self._file)
        self._file = os.open("/dev/full", os.O_WRONLY)


class FullStore(DirectoryStore):
    def create(self, key: str, *, retain_until: object = None) -> DirectoryUpload:
        super().create(key).abort()
        return FullUpload(self, key, self.directory / key)


def test_a_tampered_record_stops_shipping_with_an_error_of_integrity(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    (record,) = (tmp_path / "repository").glob("acme/binlog/s7/*/*.json")
    record.chmod(0o640)
    record.write_bytes(record.read_bytes().replace(b'"transactions":', b'"transactions":1'))
    with pytest.raises(OpsError, match="not what was signed") as caught:
        ship(host)
    assert caught.value.exit_code is ExitCode.INTEGRITY
    assert last_record(host).outcome is Outcome.FAILED


def test_a_file_that_arrives_short_is_refused(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    server.sql("FLUSH BINARY LOGS")
    name, size, *_ = server.sql("SHOW BINARY LOGS")[0]
    with pytest.raises(DamagedBinlogError, match=f"{size + 1} bytes on the server, and {size} of them"):
        fetch_verified(host, BinlogFile(name, size + 1), tmp_path, lambda: 60.0)


def test_a_run_whose_heartbeat_is_in_no_segment_fails(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = shipping_host(tmp_path, server)
    monkeypatch.setattr(HeartbeatMemory, "newest_in", lambda memory, scan: None)
    with pytest.raises(OpsError, match="is in none of the shipped logs") as caught:
        ship(host)
    assert caught.value.exit_code is ExitCode.INTEGRITY
    assert last_record(host).outcome is Outcome.FAILED
