"""A logical export: what is in it, of one moment, and never anything that only looks like one."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from io import BufferedIOBase
from pathlib import Path

import pytest

from backup.context import Host
from backup.logical.catalog import export_ids, read_export
from backup.logical.records import EXPORT, ExportBody
from backup.logical.run import run_export
from backup.verify import verify_export
from opsctl.core.errors import AuthError, IntegrityError, OpsError
from opsctl.core.pipeline import StalledError
from opsctl.core.progress import Silent
from opsctl.core.result import Outcome
from tests.integration.backup.faulty import HookedStore
from tests.support.everything import content
from tests.support.host import identity_file, make_host
from tests.support.mariadb import Server


def opened(host: Host, directory: Path) -> dict[str, str]:
    """The SQL of each archive of the newest export, as stock programs open it."""
    found = {}
    for path in sorted((directory / "repository/acme/exports").glob("*/*.sql.zst.age")):
        script = f"age -d -i {identity_file(directory)} {path} | zstd -q -d"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, check=True, text=True)
        found[path.name.removesuffix(".sql.zst.age")] = done.stdout
    return found


def failed_without_a_trace(host: Host, directory: Path) -> str:
    """What the ledger says of the failure; nothing else is left of it."""
    assert export_ids(host.catalog) == []
    assert list((directory / "repository/acme/exports").glob("*")) == []
    [entry] = host.ledger.query(EXPORT, "acme")
    record = entry.record_of(ExportBody)
    assert record.outcome is Outcome.FAILED
    return str(record.body.error)


def test_an_export_says_what_the_server_holds_and_where_its_log_stood(directory: Path, full_server: Server) -> None:
    host = make_host(directory, full_server)
    export = run_export(host)
    assert read_export(host.catalog, export.id) == export
    there = content(full_server)
    assert export.databases == there.schemas
    outside = {table.name for table in export.outside()}
    assert outside == {"myisam"}
    assert [table for table in export.tables if table.name != "myisam"] == [
        table for table in there.tables if table.name != "myisam"
    ]
    assert export.programs == there.programs
    assert {program.status for program in export.programs if program.kind == "event"} == {"ENABLED", "DISABLED"}
    assert (export.accounts, export.roles) == (there.users, there.roles)
    assert export.history_left_out == ("shop.versioned",)
    assert export.encrypted
    assert (export.gtid_state, export.binlog_file) == (
        full_server.value("SELECT @@GLOBAL.gtid_binlog_state"),
        "bin.000001",
    )
    names = [(dump.kind, dump.database) for dump in export.dumps]
    databases = [schema.name for schema in export.databases]
    views = [("views", "aaa odd é-$ db"), ("views", "shop")]
    assert names == [*(("database", name) for name in databases), ("accounts", None), *views]
    sql = opened(host, directory)
    assert "INSERT INTO `kinds`" in sql["shop"]
    assert "INSERT INTO `kinds`" not in sql["opsctl"]
    assert verify_export(host.catalog, export.id, ledger=host.ledger, progress=Silent()).outcome is Outcome.PASSED


def test_all_databases_and_all_counts_are_of_one_moment_while_others_write(directory: Path, server: Server) -> None:
    server.sql(
        *(f"CREATE DATABASE {name}" for name in ("one", "two")),
        *(f"CREATE TABLE {name}.t (id INT PRIMARY KEY, n INT)" for name in ("one", "two")),
        "USE one",
        "INSERT INTO one.t SELECT seq, 0 FROM seq_1_to_3000",
        "INSERT INTO two.t SELECT seq, 0 FROM seq_1_to_3000",
    )
    stop = threading.Event()

    def write() -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            number = 3000
            while not stop.is_set():
                number += 1
                cursor.execute("START TRANSACTION")
                cursor.execute("INSERT INTO one.t VALUES (%s, 1)", (number,))
                cursor.execute("INSERT INTO two.t VALUES (%s, 1)", (number,))
                cursor.execute("COMMIT")

    host = make_host(directory, server)
    writer = threading.Thread(target=write)
    writer.start()
    exports = []
    try:
        exports = [run_export(host) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    for export in exports:
        counts = {table.database: table.rows for table in export.tables if table.name == "t"}
        assert counts["one"] == counts["two"]
        assert counts["one"] is not None
        prefix = directory / "repository/acme/exports" / export.id
        for name in ("one", "two"):
            script = f"age -d -i {identity_file(directory)} {prefix}/{name}.sql.zst.age | zstd -q -d"
            done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True)
            assert sum(line.startswith("(") for line in done.stdout.splitlines()) == counts[name]
    assert exports[0].gtid_state != exports[-1].gtid_state, "nobody wrote"


def test_a_dump_that_is_killed_leaves_no_export(directory: Path, server: Server) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (a TEXT)")
    server.sql("USE shop", "INSERT INTO shop.t SELECT REPEAT(SHA2(seq, 512), 100) FROM seq_1_to_3000")

    def kill(key: str) -> None:
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            words = status.read_bytes().split(b"\0")
            if words[0] == b"mariadb-dump" and f"{os.getpid()}" in (status.parent / "stat").read_text().split()[3:4]:
                os.kill(int(status.parent.name), signal.SIGKILL)

    store = HookedStore(directory / "repository", before_write=kill)
    host = make_host(directory, server, store=store)
    with pytest.raises(OpsError, match="mariadb-dump was killed by SIGKILL"):
        run_export(host)
    assert "SIGKILL" in failed_without_a_trace(host, directory)


def test_a_store_that_takes_no_bytes_ends_the_dump_and_lets_go_of_the_server(directory: Path, server: Server) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (a LONGTEXT)")
    server.sql("USE shop", "INSERT INTO shop.t SELECT REPEAT(SHA2(seq, 512), 20000) FROM seq_1_to_40")
    released = threading.Event()

    def block(key: str) -> None:
        if "shop" in key:
            released.wait(60)

    store = HookedStore(directory / "repository", before_write=block)
    host = make_host(directory, server, store=store, backup={"stall_s": 1})
    try:
        with pytest.raises(StalledError):
            run_export(host)
        assert server.value("SELECT COUNT(*) FROM information_schema.INNODB_TRX") == 0
    finally:
        released.set()


def test_tables_altered_meanwhile_end_it(directory: Path, server: Server) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT)")
    host = make_host(directory, server)

    def alter(key: str) -> None:
        if "users" in key:
            server.sql("CREATE TABLE IF NOT EXISTS shop.late (i INT)")

    store = HookedStore(directory / "repository", before_commit=lambda key: alter("users"))
    host = replace(host, store=store)
    with pytest.raises(OpsError, match="tables were altered while they were exported"):
        run_export(host)
    failed_without_a_trace(host, directory)


def test_a_routine_that_looks_like_another_database_is_refused(directory: Path, server: Server) -> None:
    server.sql(
        "CREATE DATABASE shop",
        "CREATE PROCEDURE shop.p() BEGIN\n--\n-- Current Database: `zoo`\n--\nSELECT 1; END",
        "CREATE DATABASE zoo",
    )
    host = make_host(directory, server)
    with pytest.raises(IntegrityError, match="cannot be taken apart"):
        run_export(host)
    failed_without_a_trace(host, directory)


def test_an_account_that_lacks_a_privilege_is_told_which(directory: Path, server: Server) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT)", "CREATE VIEW shop.v AS SELECT 1")
    host = make_host(directory, server)
    server.sql("REVOKE SHOW VIEW ON *.* FROM opsctl_export@localhost")
    with pytest.raises(AuthError) as refused:
        run_export(host)
    assert "SHOW VIEW" in str(refused.value.hint)
    failed_without_a_trace(host, directory)


def test_a_flipped_bit_is_found_by_verification(directory: Path, server: Server) -> None:
    server.sql("CREATE DATABASE shop")
    host = make_host(directory, server)
    export = run_export(host)
    path = directory / "repository" / export.dump("shop").key
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(data)
    record = verify_export(host.catalog, export.id, ledger=host.ledger, progress=Silent())
    assert record.outcome is Outcome.FAILED
    assert record.body.problems == (f"{export.dump('shop').key} has other bytes than the manifest says",)


KILLED = """
import pickle, sys
from backup.logical.run import run_export
run_export(pickle.load(sys.stdin.buffer))
"""


@pytest.mark.parametrize("at", ["export.held", "store.before_publish@2", "store.after_publish@2"])
def test_killed_at_any_time_it_holds_no_commit_back_and_leaves_nothing_that_counts(
    directory: Path, server: Server, at: str
) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT)")
    host = make_host(directory, server)
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=pickle.dumps(host),
        env={**os.environ, "OPSCTL_FAILPOINT": at},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    server.sql("SET lock_wait_timeout = 20", "INSERT INTO shop.t VALUES (1)")
    assert export_ids(host.catalog) == []
    export = run_export(host)
    assert [path.name for path in (directory / "repository/acme/exports").iterdir()] == [export.id]
    assert not list((directory / "repository").rglob(".partial-*"))


def test_a_server_of_little_patience_is_exported_whatever_time_the_disk_takes(directory: Path, server: Server) -> None:
    server.sql(
        "CREATE DATABASE one",
        "CREATE DATABASE two",
        *(f"CREATE TABLE {name}.t (a LONGTEXT)" for name in ("one", "two")),
        "USE two",
        "INSERT INTO two.t SELECT REPEAT(SHA2(seq, 512), 20000) FROM seq_1_to_40",
    )
    host = make_host(directory, server)
    server.sql(*(f"SET GLOBAL {name} = 1" for name in ("wait_timeout", "max_statement_time")))
    read: list[str] = []

    class Slow(HookedStore):
        def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
            """Read back only what is published, once all of it is."""
            if key.endswith(".age"):
                read.append(key)
                assert len(list(directory.rglob("*.sql.zst.age"))) == 4
            return super().open(key, offset=offset)

    def rest(key: str) -> None:
        if key.endswith("two.sql.zst.age"):
            # Longer than the server waits for who asks nothing.
            server.sql("SET SESSION max_statement_time = 0", "SELECT SLEEP(1.5)")

    store = Slow(directory / "repository", before_commit=rest)
    export = run_export(replace(host, store=store))
    assert len(read) == len(export.dumps)
