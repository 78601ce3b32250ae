"""The life of a database, on servers with encryption and without: backed up, shipped, drilled, restored, exported.

`tests/integration/install/test_other_version.py` runs this file on MariaDB 11.8 too.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.binlog.ship import ship
from backup.context import Host
from backup.logical.run import run_export
from backup.run import run_backup
from opsctl.core.result import Outcome
from restore_drill.drill import run_drill
from restore_drill.exports.drill import run_export_drill
from restore_drill.exports.restore import restore_export
from restore_drill.restore import restore
from tests.support.engines import ENGINES, engine
from tests.support.everything import content, fill
from tests.support.host import keys_file, make_drill_host, make_host
from tests.support.mariadb import Server, running_server


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets, which the sandbox's user may pass."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of each kind."""
    with engine(request.param) as running:
        yield running


def work(server: Server, number: int) -> None:
    """Change rows of several engines, and definitions."""
    server.sql(
        "CREATE DATABASE IF NOT EXISTS shop",
        "CREATE TABLE IF NOT EXISTS shop.t (i INT PRIMARY KEY AUTO_INCREMENT, w VARCHAR(200))",
        "CREATE TABLE IF NOT EXISTS shop.aria (i INT) ENGINE=Aria",
        "USE shop",
        f"INSERT INTO shop.t (w) SELECT CONCAT('{number}', SHA2(seq, 512)) FROM seq_1_to_2000",
        f"UPDATE shop.t SET w = 'changed {number}' WHERE i % 7 = 0",
        f"INSERT INTO shop.aria VALUES ({number})",
        f"CREATE TABLE shop.made_{number} (i INT)",
    )


def rows(server: Server) -> list[object]:
    """All that `work` wrote."""
    tables = [name for (name,) in server.sql("SHOW TABLES FROM shop")]
    return [(name, server.sql(f"CHECKSUM TABLE shop.{name} EXTENDED")) for name in tables]


def restored_server(directory: Path, host: Host) -> tuple[list[str], Path]:
    """The options and the datadir of what a restore left."""
    keys = keys_file(directory)
    words = ["--plugin-load-add=file_key_management", f"--file-key-management-filename={keys}"] if keys else []
    return [*words, *(["--innodb-encrypt-log=ON"] if keys else [])], directory / "data"


def test_backups_and_logs_bring_back_every_row(directory: Path, server: Server) -> None:
    host = make_host(directory, server)
    work(server, 1)
    run_backup(host)
    work(server, 2)
    ship(host)
    newest = run_backup(host)
    work(server, 3)
    ship(host)
    expected = rows(server)
    report = run_drill(make_drill_host(host))
    assert report.outcome is Outcome.PASSED, [result for result in report.body.results if not result.passed]
    assert report.body.backup_id == newest.id
    restore(make_drill_host(host), directory / "back", latest=True)
    server.stop()
    words, data = restored_server(directory / "back", host)
    with running_server(words, datadir=data) as again:
        assert rows(again) == expected


def test_an_export_brings_back_one_of_everything(directory: Path, server: Server) -> None:
    fill(server)
    host = make_host(directory, server)
    run_export(host)
    expected = content(server)
    report = run_export_drill(make_drill_host(host), "latest")
    assert report.outcome is Outcome.PASSED, [result for result in report.body.results if not result.passed]
    restore_export(make_drill_host(host), directory / "back", "latest")
    words, data = restored_server(directory / "back", host)
    with running_server(words, datadir=data) as again:
        assert content(again) == expected
