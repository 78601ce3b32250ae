"""A restore stops exactly where it was told to, or says that it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.mariadb.binlog_targets import TargetError
from opsctl.core.mariadb.gtid import GtidSyntaxError
from restore_drill.restore import RestoreReport, restore
from tests.integration.restore.conftest import History
from tests.support.mariadb import Server, running_server
from tests.support.repository import Repository, repository


@contextmanager
def server_on(report: RestoreReport) -> Iterator[Server]:
    """A server on what was restored, with the restored keys."""
    keys = Path(report.directory) / "keys/etc/mysql/encryption/keys"
    options = ("--plugin-load-add=file_key_management", f"--file-key-management-filename={keys}")
    with running_server(options, datadir=Path(report.directory) / "data") as server:
        yield server


def orders(report: RestoreReport) -> list[int]:
    """The ids in shop.orders of what was restored."""
    with server_on(report) as server:
        return [row[0] for row in server.sql("SELECT id FROM shop.orders")]


def about_logs(report: RestoreReport) -> tuple[str, ...]:
    """The warnings, without the one that only root can give files their owners."""
    return tuple(warning for warning in report.warnings if "only root" not in warning)


@pytest.mark.parametrize("number", [0, 3, 4, 5, 7, 11])
def test_to_right_after_any_transaction(history: History, repo: Repository, number: int) -> None:
    repo.ship(*history.files)
    gtid, expected = [*history.rows.items()][number]
    report = restore(repo.host, repo.directory / "restored", gtid=gtid)
    assert (report.gtid_state, report.transactions) == (gtid, number + 1)
    assert orders(report) == expected


def test_to_the_end_of_what_was_shipped(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    report = restore(repo.host, repo.directory / "restored", latest=True)
    gtid, expected = [*history.rows.items()][-1]
    assert (report.gtid_state, report.transactions, report.segments) == (gtid, 12, 3)
    assert report.heartbeat == datetime(2026, 1, 1, 10, 2, tzinfo=UTC)
    assert orders(report) == expected


def test_to_the_backup_alone(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    report = restore(repo.host, repo.directory / "restored")
    assert (report.transactions, report.gtid_state) == (0, history.manifest.database.gtid_state)
    assert orders(report) == [1]


def test_to_the_last_transaction_of_the_backup(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    report = restore(repo.host, repo.directory / "restored", gtid=history.manifest.database.gtid_position)
    assert report.transactions == 0
    assert orders(report) == [1]


def test_latest_with_nothing_shipped_since_is_the_backup_and_says_so(repo: Repository) -> None:
    report = restore(repo.host, repo.directory / "restored", latest=True)
    assert report.transactions == 0
    assert "nothing was shipped since" in report.warnings[0]


def test_a_transaction_that_was_not_shipped_is_refused(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    with pytest.raises(TargetError, match="hold no transaction 0-7-999"):
        restore(repo.host, repo.directory / "restored", gtid="0-7-999")
    assert not (repo.directory / "restored").exists()


def test_a_time_that_the_logs_do_not_reach_is_refused(history: History, repo: Repository) -> None:
    repo.ship(*history.files)
    with pytest.raises(TargetError, match="reach only to"):
        restore(repo.host, repo.directory / "restored", at=datetime.now(UTC) + timedelta(hours=1))


def test_a_time_before_the_first_backup_is_refused(history: History, repo: Repository) -> None:
    with pytest.raises(OpsError, match="no backup of acme from before"):
        restore(repo.host, repo.directory / "restored", at=history.manifest.started - timedelta(hours=1))


def test_a_named_backup_from_after_the_point_is_refused(history: History, repo: Repository) -> None:
    moment = history.manifest.started - timedelta(hours=1)
    with pytest.raises(OpsError, match="is from after the point"):
        restore(repo.host, repo.directory / "restored", backup_id=history.manifest.id, at=moment)


def test_two_points_at_once_are_refused(repo: Repository) -> None:
    with pytest.raises(SettingsError, match="exclude each other"):
        restore(repo.host, repo.directory / "restored", gtid="0-7-1", latest=True)


def test_what_is_no_gtid_is_refused(repo: Repository) -> None:
    with pytest.raises(GtidSyntaxError):
        restore(repo.host, repo.directory / "restored", gtid="yesterday")


def test_a_time_stops_before_the_first_later_transaction_and_names_what_a_set_clock_hides(directory: Path) -> None:
    with running_server(["--log-bin=db-bin", "--server-id=7"]) as server, repository() as repo:
        server.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
        finished = repo.backup(server).finished.timestamp()
        moments = {1: 60, 2: 120, 3: 100, 4: 180, 5: 240}
        for number, after in moments.items():
            server.sql(f"SET timestamp = {int(finished) + after}", f"INSERT INTO shop.orders VALUES ({number})")
        server.sql("FLUSH BINARY LOGS")
        repo.ship(*server.fetch_raw(repo.directory / "raw")[:-1])

        def restored(after: int) -> tuple[list[int], tuple[str, ...]]:
            at = datetime.fromtimestamp(int(finished) + after, UTC)
            report = restore(repo.host, directory / str(after), at=at)
            with running_server(datadir=directory / str(after) / "data") as copy:
                return [row[0] for row in copy.sql("SELECT id FROM shop.orders")], about_logs(report)

        assert restored(130) == ([1, 2, 3], ())
        early, warnings = restored(110)
        assert early == [1]
        assert "--gtid 0-7-5" in warnings[0]


def test_the_last_log_of_a_crashed_server_is_replayed_to_its_last_transaction(directory: Path) -> None:
    with running_server(["--log-bin=db-bin", "--server-id=7", "--sync-binlog=1"]) as server, repository() as repo:
        server.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
        repo.backup(server)
        server.sql("INSERT INTO shop.orders VALUES (1)")
        [path] = server.fetch_raw(repo.directory / "raw")  # as it is before anything closes it
        repo.ship(path)
        report = restore(repo.host, directory / "restored", latest=True)
        assert (report.transactions, report.gtid_state) == (1, "0-7-3")


def test_several_domains_and_servers_are_followed(directory: Path) -> None:
    with running_server(["--log-bin=db-bin", "--server-id=7"]) as server, repository() as repo:
        server.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=MyISAM")
        server.sql("SET gtid_domain_id=5, server_id=9", "INSERT INTO shop.orders VALUES (1)")
        repo.backup(server)
        server.sql("SET gtid_domain_id=5, server_id=8", "INSERT INTO shop.orders VALUES (2)")
        server.sql("SET gtid_domain_id=6", "INSERT INTO shop.orders VALUES (3)", "FLUSH BINARY LOGS")
        server.sql("INSERT INTO shop.orders VALUES (4)", "FLUSH BINARY LOGS")
        repo.ship(*server.fetch_raw(repo.directory / "raw")[:-1])
        report = restore(repo.host, directory / "restored", latest=True)
        assert report.gtid_state == server.value("SELECT @@gtid_binlog_state")


def test_events_come_back_with_the_status_they_had_on_the_source(directory: Path) -> None:
    with running_server(["--log-bin=db-bin", "--server-id=7"]) as server, repository() as repo:
        every = "ON SCHEDULE EVERY 1 DAY"
        server.sql("CREATE DATABASE shop", f"CREATE EVENT shop.kept {every} DISABLE DO SET @a = 1")
        repo.backup(server)
        server.sql(
            f"CREATE EVENT shop.on1 {every} ENABLE COMMENT 'disable' DO SET @a = 1",
            f"CREATE EVENT shop.off1 {every} DISABLE DO SET @a = 1",
            f"CREATE EVENT shop.`slave side` {every} DISABLE ON SLAVE DO SET @a = 1",
            "ALTER EVENT shop.kept RENAME TO shop.renamed",
            f"CREATE EVENT shop.twice {every} DO SET @a = 1",
            "ALTER EVENT shop.twice DISABLE",
            "FLUSH BINARY LOGS",
            "ALTER EVENT shop.off1 ENABLE",
            "FLUSH BINARY LOGS",
        )
        repo.ship(*server.fetch_raw(repo.directory / "raw")[:-1])
        restore(repo.host, directory / "restored", latest=True)
        statuses = "SELECT name, status, definer FROM mysql.event ORDER BY name"
        with running_server(datadir=directory / "restored/data") as copy:
            assert copy.sql(statuses) == server.sql(statuses)


def test_transactions_left_prepared_are_named(directory: Path) -> None:
    with running_server(["--log-bin=db-bin", "--server-id=7"]) as server, repository() as repo:
        server.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
        repo.backup(server)
        server.sql("XA START 'one'", "INSERT INTO shop.orders VALUES (1)", "XA END 'one'", "XA PREPARE 'one'")
        server.sql("FLUSH BINARY LOGS")
        repo.ship(*server.fetch_raw(repo.directory / "raw")[:-1])
        server.sql("XA ROLLBACK 'one'")
        report = restore(repo.host, directory / "restored", latest=True)
        assert "1 XA transactions are prepared" in report.warnings[0]


def test_a_same_named_log_of_another_time_is_not_taken(directory: Path) -> None:
    with running_server(["--log-bin=db-bin", "--server-id=7"]) as server, repository() as repo:
        server.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
        server.sql(*(f"INSERT INTO shop.orders VALUES ({number})" for number in range(20)), "FLUSH BINARY LOGS")
        repo.ship(*server.fetch_raw(repo.directory / "before")[:-1])
        server.sql("RESET MASTER", "INSERT INTO shop.orders VALUES (100)")
        repo.backup(server)
        server.sql("INSERT INTO shop.orders VALUES (101)", "FLUSH BINARY LOGS")
        later = "20260102T000000Z-bbbbbbbb"
        repo.ship(*server.fetch_raw(repo.directory / "after")[:-1], lineage=later, lineage_reason="a reset")
        report = restore(repo.host, directory / "restored", latest=True)
        assert (report.transactions, about_logs(report)) == (1, ())


def test_a_lineage_that_begins_after_a_gap_is_named_and_not_applied(history: History, repo: Repository) -> None:
    repo.ship(history.files[0])
    repo.ship(history.files[2], lineage="20260102T000000Z-bbbbbbbb", lineage_reason="a gap")
    report = restore(repo.host, repo.directory / "restored", latest=True)
    assert report.transactions == 4
    assert "begun because a gap" in report.warnings[0]
