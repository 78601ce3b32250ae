"""One customer with a backup and three binary logs after it; each test restores from a copy of its repository."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backup.manifest import Manifest
from opsctl.core.mariadb.binlog import Transaction, transactions
from tests.support.mariadb import Server, running_server
from tests.support.repository import Repository, repository

_SITE_UID, _SITE_GID = 1033, 1034


@dataclass(frozen=True)
class History:
    """What happened: `files` are the binary logs, the backup ended in the first; `rows` are the ids of shop.orders that
    exist after each GTID."""

    repository: Repository
    manifest: Manifest
    files: tuple[Path, ...]
    rows: dict[str, list[int]]

    def transactions(self, number: int) -> list[Transaction]:
        """The transactions of a file."""
        return list(transactions(self.files[number]))


@pytest.fixture(scope="package")
def history() -> Iterator[History]:
    with running_server(["--log-bin=db-bin", "--server-id=7"], encrypted=True) as server, repository() as repo:
        server.sql(
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT) ENGINE=InnoDB",
            "CREATE DATABASE opsctl",
            "CREATE TABLE opsctl.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL) ENGINE=InnoDB",
            "CREATE EVENT shop.old ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1",
            "INSERT INTO shop.orders VALUES (1, 'in the backup')",
        )
        manifest = repo.backup(server, files=_site(repo.directory / "site"), key_file=server.directory / "keys")
        rows = _write(server)
        files = server.fetch_raw(repo.directory / "raw")[:-1]
        yield History(repo, manifest, tuple(files), rows)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short one that the sandbox's user may pass."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def repo(history: History, directory: Path) -> Repository:
    """The backup alone, to ship to."""
    return history.repository.copy(directory)


def _site(root: Path) -> Path:
    """A tree whose owners and modes are those of a web host."""
    uploads = root / "var/www/shop/uploads"
    uploads.mkdir(parents=True)
    (uploads / "a.jpg").write_bytes(b"picture")
    (root / "var/www/current").symlink_to("/var/www/shop")
    if os.geteuid() == 0:
        os.chown(uploads, _SITE_UID, _SITE_GID)
        os.chown(uploads / "a.jpg", _SITE_UID, _SITE_GID)
    uploads.chmod(0o2750)
    (uploads / "a.jpg").chmod(0o440)
    os.utime(uploads / "a.jpg", (1_600_000_000, 1_600_000_000))
    return root


def _write(server: Server) -> dict[str, list[int]]:
    """Three binary logs of work, and what the table holds after each transaction."""
    rows: dict[str, list[int]] = {}

    def do(*statements: str) -> None:
        server.sql(*statements)
        rows[server.value("SELECT @@gtid_binlog_pos")] = [row[0] for row in server.sql("SELECT id FROM shop.orders")]

    for number in range(3):
        base = 10 * (number + 1)
        do(f"INSERT INTO shop.orders VALUES ({base}, 'a')")
        delete = f"DELETE FROM shop.orders WHERE id = {base}"
        do("BEGIN", f"INSERT INTO shop.orders VALUES ({base + 1}, 'b')", delete, "COMMIT")
        do(f"INSERT INTO shop.orders SELECT {base + 2}, REPEAT('c', 3000)")
        do(f"REPLACE INTO opsctl.heartbeat VALUES (1, '2026-01-01 10:0{number}:00')")
        server.sql("FLUSH BINARY LOGS")
    return rows
