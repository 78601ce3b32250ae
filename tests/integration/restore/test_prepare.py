"""Preparing full and incremental backups: with the restored keys, and nothing the backup says but its geometry."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backup.manifest import Database
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.sandbox import give_to_sandbox
from restore_drill.prepare import Prepared, prepare, read_binlog_info, read_checkpoints
from tests.support.mariadb import Server, give_to_server, running_server
from tests.support.repository import KEY_FILE


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories as mariadb-backup left them: a full backup and two incremental ones; `keys` is the keys archive."""
    place = tmp_path_factory.mktemp("chain")
    with running_server(["--log-bin=db-bin", "--server-id=7"], encrypted=True) as server:
        server.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
        names = ("full", "first", "second")
        for number, name in enumerate(names):
            server.sql(f"INSERT INTO shop.orders VALUES ({number})")
            server.restart()  # moves the checkpoint on: the LSNs of an idle server's backups are all the same
            _back_up(server, place / name, None if number == 0 else place / names[number - 1])
        keys = place / f"keys{KEY_FILE}"
        keys.parent.mkdir(parents=True)
        keys.write_bytes((server.directory / "keys").read_bytes())
    return {path.name: path for path in place.iterdir()}


def test_incrementals_are_applied_in_their_order(chain: dict[str, Path], directory: Path) -> None:
    prepared = _prepare(chain, directory, "first", "second")
    data = directory / "full"
    last = read_checkpoints(chain["second"])
    assert (prepared.to_lsn, prepared.last_lsn) == (last.to_lsn, last.last_lsn)
    shutil.copy(f"{chain['keys']}{KEY_FILE}", directory / "key")
    give_to_server(directory / "key")
    options = ("--plugin-load-add=file_key_management", f"--file-key-management-filename={directory / 'key'}")
    with running_server(options, datadir=data) as server:
        assert server.sql("SELECT id FROM shop.orders") == ((0,), (1,), (2,))


def test_an_incremental_left_out_is_refused(chain: dict[str, Path], directory: Path) -> None:
    with pytest.raises(IntegrityError, match="begins at LSN"):
        _prepare(chain, directory, "second")


def test_incrementals_in_the_wrong_order_are_refused(chain: dict[str, Path], directory: Path) -> None:
    with pytest.raises(IntegrityError, match="begins at LSN"):
        _prepare(chain, directory, "second", "first")


def test_another_backup_than_the_manifest_describes_is_refused(chain: dict[str, Path], directory: Path) -> None:
    with pytest.raises(IntegrityError, match="its manifest"):
        _prepare(chain, directory, database=_database(chain["first"]))


def test_a_tool_that_is_too_old_says_so(chain: dict[str, Path], directory: Path) -> None:
    newer = _database(chain["full"]).model_copy(update={"tool_version": "12.3.1-MariaDB"})
    with pytest.raises(OpsError, match="too old to prepare it"):
        _prepare(chain, directory, database=newer)


def test_an_option_file_that_loads_other_code_is_not_obeyed(chain: dict[str, Path], directory: Path) -> None:
    def poison(data: Path) -> None:
        with (data / "backup-my.cnf").open("a") as file:
            file.write("\nplugin_dir=/restored/data\nplugin_load=evil\ninnodb_undo_directory=/etc\n")

    assert _prepare(chain, directory, change=poison).to_lsn == read_checkpoints(chain["full"]).to_lsn
    assert "evil" not in (directory / "full/backup-my.cnf").read_text()


def test_an_option_file_that_is_a_link_is_not_read(chain: dict[str, Path], directory: Path) -> None:
    def poison(data: Path) -> None:
        (data / "backup-my.cnf").unlink()
        (data / "backup-my.cnf").symlink_to("/etc/hostname")

    with pytest.raises(IntegrityError, match="is not there"):
        _prepare(chain, directory, change=poison)


def _prepare(
    chain: dict[str, Path],
    directory: Path,
    *increments: str,
    database: Database | None = None,
    change: Callable[[Path], None] = lambda data: None,
) -> Prepared:
    """Prepare copies, as the manifest of the last of them would have it."""
    for name in ("full", *increments, "keys"):
        subprocess.run(["cp", "--archive", chain[name], directory / name], check=True)
        give_to_sandbox(directory / name)
    change(directory / "full")
    return prepare(
        directory / "full",
        directory / "keys",
        database or _database(chain[increments[-1] if increments else "full"]),
        incrementals=[directory / name for name in increments],
        memory_mb=64,
        timeout_s=120,
    )


def _database(backup: Path) -> Database:
    checkpoints = read_checkpoints(backup)
    file, position, gtid = read_binlog_info(backup)
    return Database(
        server_version="10.11", tool_version="10.11.1", server_id=7, from_lsn=checkpoints.from_lsn,
        to_lsn=checkpoints.to_lsn, last_lsn=checkpoints.last_lsn, binlog_file=file, binlog_position=position,
        gtid_position=gtid, gtid_state="", encrypted=True, key_file=KEY_FILE, filekey_file=None, tables=(),
    )  # fmt: skip


def _back_up(server: Server, target: Path, base: Path | None) -> None:
    words = ["mariadb-backup", "--no-defaults", "--backup", "--user=root", f"--socket={server.socket}"]
    increment = [] if base is None else [f"--incremental-basedir={base}"]
    subprocess.run([*words, f"--target-dir={target}", *increment], check=True, capture_output=True)
