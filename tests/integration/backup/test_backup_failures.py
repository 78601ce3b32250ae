"""Whatever goes wrong during a backup: it is an error, nothing counts as a backup, and the server is let go."""

import errno
import secrets
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from backup.context import Host
from backup.records import BackupBody
from backup.run import run_backup
from opsctl.core.errors import AuthError, ExitCode, IntegrityError, LockedError, OpsError, UnreachableError
from opsctl.core.locks import lock
from opsctl.core.mariadb.connect import connected, rows
from opsctl.core.pipeline import StalledError
from opsctl.core.process import CommandFailedError
from opsctl.core.result import Outcome
from opsctl.core.store import StoreError
from opsctl.core.store.directory import explain
from opsctl.stack.settings import SiteSection
from tests.integration.backup.faulty import HookedStore, kill_children
from tests.support.host import BACKUP_PASSWORD, make_host
from tests.support.mariadb import Server

_BIG = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (i INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)",
    *(f"INSERT INTO shop.t (b) SELECT RANDOM_BYTES(1024) FROM seq_1_to_{8192}" for _ in range(5)),
)


def big_table(server: Server) -> None:
    """More than all pipes together hold: 40 MB that do not compress."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(_BIG[0])
        connection.select_db("shop")
        for statement in _BIG[1:]:
            cursor.execute(statement)


def nothing_was_published(host: Host, directory: Path) -> bool:
    """No backup, no object of one, no partial upload, no LSNs for a later increment."""
    left = [path for path in (directory / "repository" / "acme").rglob("*") if path.is_file()]
    lsns = list((directory / "state" / "lsn").glob("*"))
    return not host.catalog.backup_ids() and not left and not lsns


def recorded_failure(host: Host) -> BackupBody:
    [entry] = host.ledger.query("backup")
    record = entry.record_of(BackupBody)
    assert record.outcome is Outcome.FAILED
    assert record.fresh_until is None
    return record.body


def large_statistics(server: Server) -> None:
    """60 MB that do not compress, in a table that is copied while the backup holds commits back."""
    with server.connect() as connection, connection.cursor() as cursor:
        for number in range(60):
            cursor.execute(
                "INSERT INTO mysql.column_stats SET db_name = 'x', table_name = 'x', column_name = %s, histogram = %s",
                (str(number), secrets.token_bytes(1_000_000)),
            )
        cursor.execute("FLUSH TABLES")


def test_a_stalled_writer_is_stopped_while_the_backup_holds_commits_back_and_commits_go_on(
    directory: Path, server: Server
) -> None:
    large_statistics(server)
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT PRIMARY KEY)")
    hangs, released, ended = threading.Event(), threading.Event(), threading.Event()

    def commit_all_the_time() -> int:
        number = 0
        while not ended.is_set():
            number += 1
            server.sql(f"INSERT INTO shop.t VALUES ({number})")
        return number

    def hang_once_commits_are_held_back(key: str) -> None:
        if any("backup lock" in str(row[6]) for row in server.sql("SHOW FULL PROCESSLIST")):
            hangs.set()
            released.wait()

    store = HookedStore(directory / "repository", before_write=hang_once_commits_are_held_back)
    host = make_host(directory, server, store=store, backup={"stall_s": 2})
    with ThreadPoolExecutor(1) as threads:
        writer = threads.submit(commit_all_the_time)
        try:
            with pytest.raises(StalledError):
                run_backup(host)
            assert hangs.is_set()
            server.sql("INSERT INTO shop.t VALUES (1000000000)")
        finally:
            ended.set()
            released.set()
        assert writer.result() > 1
    assert nothing_was_published(host, directory)
    assert "took no bytes for 2 s" in str(recorded_failure(host).error)


def test_a_producer_that_is_killed_in_the_middle_makes_no_backup(directory: Path, server: Server) -> None:
    big_table(server)

    def kill_producer(key: str) -> None:
        kill_children("mariadb-backup", signal.SIGKILL)

    host = make_host(directory, server, store=HookedStore(directory / "repository", before_write=kill_producer))
    with pytest.raises(CommandFailedError, match="mariadb-backup was killed by SIGKILL"):
        run_backup(host)
    assert nothing_was_published(host, directory)
    assert recorded_failure(host).error == "mariadb-backup was killed by SIGKILL"


@pytest.mark.parametrize("program", ["zstd", "age"])
def test_a_program_that_is_killed_behind_the_producer_makes_no_backup(
    directory: Path, server: Server, program: str
) -> None:
    big_table(server)
    store = HookedStore(directory / "repository", before_write=lambda key: kill_children(program, signal.SIGKILL))
    host = make_host(directory, server, store=store)
    with pytest.raises(CommandFailedError):
        run_backup(host)
    assert nothing_was_published(host, directory)


def disk_full(key: str) -> None:
    raise explain(OSError(errno.ENOSPC, "No space left on device"), key, "/disk")


def disk_broken(key: str) -> None:
    raise explain(OSError(errno.EIO, "Input/output error"), key, "/disk")


def only(part: str, fault: Callable[[str], None]) -> Callable[[str], None]:
    """A fault that hits only keys with that part."""
    return lambda key: fault(key) if part in key else None


@pytest.mark.parametrize(
    "part", ["db.mbstream", "files-blog.tar", "files-blog.list", "keys.tar", "state.tar", "manifest.json"]
)
@pytest.mark.parametrize("step", ["write", "commit"])
def test_a_disk_that_fails_at_any_archive_leaves_nothing_behind(
    directory: Path, shared_server: Server, part: str, step: str
) -> None:
    fault = only(part, disk_full if step == "write" else disk_broken)
    store = HookedStore(directory / "repository")
    setattr(store, f"before_{step}", fault)
    host = blog_host(directory, shared_server, store)
    with pytest.raises(StoreError, match=r"No space left|Input/output error"):
        run_backup(host)
    assert nothing_was_published(host, directory)
    assert recorded_failure(host).manifest_sha256 is None


@pytest.mark.parametrize("part", ["db.mbstream.zst.age", "files-blog.tar.zst.age", "keys.tar.zst.age"])
def test_an_archive_that_reads_back_otherwise_than_it_was_written_makes_no_backup(
    directory: Path, shared_server: Server, part: str
) -> None:
    host = blog_host(directory, shared_server, HookedStore(directory / "repository", flip=part))
    with pytest.raises(IntegrityError, match="reads back with other bytes"):
        run_backup(host)
    assert nothing_was_published(host, directory)


def blog_host(directory: Path, server: Server, store: HookedStore | None = None, **site: object) -> Host:
    blog = directory / "root/srv/blog"
    blog.mkdir(parents=True, exist_ok=True)
    (blog / "index.php").write_text("<?php")
    settings = {"name": "blog", "kind": "static", "paths": (Path("/srv/blog"),), **site}
    return make_host(directory, server, store=store, sites=[SiteSection.model_validate(settings)])


@pytest.mark.parametrize(("engine", "file"), [("InnoDB", "t.ibd"), ("MyISAM", "t.MYD"), ("Aria", "t.MAI")])
def test_a_missing_table_file_makes_no_backup(directory: Path, server: Server, engine: str, file: str) -> None:
    server.sql("CREATE DATABASE shop", f"CREATE TABLE shop.t (i INT) ENGINE={engine}", "FLUSH TABLES")
    host = make_host(directory, server)
    (server.datadir / "shop" / file).unlink()
    with pytest.raises(OpsError, match="shop/t"):  # some of them mariadb-backup notices itself
        run_backup(host)
    assert nothing_was_published(host, directory)


def test_a_missing_path_of_a_site_is_reported_before_the_database_is_read(
    directory: Path, shared_server: Server
) -> None:
    host = blog_host(directory, shared_server, paths=(Path("/srv/blog"), Path("/srv/typo")))
    with pytest.raises(OpsError, match="/srv/typo is not there"):
        run_backup(host)
    assert nothing_was_published(host, directory)
    assert recorded_failure(host).phases == ()


def test_a_repository_inside_of_what_is_archived_is_refused(directory: Path, shared_server: Server) -> None:
    host = blog_host(directory, shared_server, HookedStore(directory / "root/srv/blog/backups"))
    with pytest.raises(OpsError, match="repository lies below /srv/blog"):
        run_backup(host)


def test_a_wrong_password_ends_with_exit_code_5_and_is_nowhere_repeated(directory: Path, shared_server: Server) -> None:
    host = make_host(directory, shared_server)
    wrong = "not the pass'word"
    assert host.database.backup_password_file is not None
    host.database.backup_password_file.write_text(wrong)
    with pytest.raises(AuthError) as raised:
        run_backup(host)
    assert raised.value.exit_code is ExitCode.AUTH
    assert wrong not in f"{raised.value} {raised.value.hint} {recorded_failure(host)}"


@pytest.mark.parametrize("privilege", ["RELOAD", "PROCESS", "BINLOG MONITOR", "REFERENCES"])
def test_an_account_without_a_privilege_ends_with_exit_code_5_and_its_name(
    directory: Path, server: Server, privilege: str
) -> None:
    host = make_host(directory, server)
    server.sql(f"REVOKE {privilege} ON *.* FROM opsctl_backup@localhost")
    with pytest.raises(AuthError) as raised:
        run_backup(host)
    assert privilege in f"{raised.value} {raised.value.hint}"
    assert nothing_was_published(host, directory)


def test_a_backup_account_that_reads_no_row_sees_every_table(directory: Path, server: Server) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT)")
    host = make_host(directory, server)
    assert "shop" in {table.database for table in run_backup(host).database.tables}
    with (
        pytest.raises(AuthError, match="SELECT command denied"),
        connected(server.socket, user="opsctl_backup", password=SecretStr(BACKUP_PASSWORD), timeout_s=10) as connection,
    ):
        rows(connection, "SELECT * FROM shop.t")


def test_a_server_that_is_down_ends_with_exit_code_10(directory: Path, server: Server) -> None:
    host = make_host(directory, server)
    server.stop()
    with pytest.raises(UnreachableError) as raised:
        run_backup(host)
    assert raised.value.exit_code is ExitCode.UNREACHABLE
    assert nothing_was_published(host, directory)


def test_two_backups_of_a_stack_never_run_at_once(directory: Path, shared_server: Server) -> None:
    host = make_host(directory, shared_server)
    with lock(host.machine.lock_dir, "backup-acme", doing="a test"), pytest.raises(LockedError):
        run_backup(host)
    assert not list(host.ledger.query("backup"))
