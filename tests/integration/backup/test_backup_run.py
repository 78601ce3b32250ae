"""A full backup: what is in it, what is recorded, and that stock programs get it all back."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from backup.filelist import parse_list
from backup.records import BackupBody
from backup.run import run_backup
from opsctl.core.clock import utcnow
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.result import Outcome
from opsctl.stack.settings import SiteSection
from tests.integration.backup.faulty import During, HookedStore
from tests.integration.backup.opened import extract, open_plain
from tests.support.host import make_host
from tests.support.mariadb import Server, running_server

ODD = ("with space", "new\nline", "-rf", "é-日本", "quote'\"\\", "x" * 200, "tab\t*")


def blog(directory: Path) -> SiteSection:
    """A site with files of odd names, links, and uploads."""
    site = directory / "root/srv/blog"
    for folder in ("uploads/2026/05", "cache"):
        (site / folder).mkdir(parents=True)
    (site / "index.php").write_text("<?php")
    (site / "wp-config.php").write_text("<?php // secret")
    (site / "cache/page.html").write_text("not worth keeping")
    (site / "link").symlink_to("/srv/blog/uploads")
    for name in ODD:
        (site / "uploads" / name).write_text(name)
    (site / os.fsdecode(b"latin-\xe9")).write_bytes(b"\0" * 3_000_000)
    os.link(site / "uploads" / ODD[0], site / "uploads/2026/05/again")
    return SiteSection(
        name="blog",
        kind="wordpress",
        paths=(Path("/srv/blog"),),
        exclude=("/srv/blog/cache",),
        config=Path("/srv/blog/wp-config.php"),
        http_host="blog.example",
        uploads=Path("/srv/blog/uploads"),
    )


def test_stock_programs_get_back_every_file_as_the_list_says(directory: Path, shared_server: Server) -> None:
    host = make_host(directory, shared_server, sites=[blog(directory)])
    manifest = run_backup(host)
    tree = extract(host, manifest, "files-blog", directory / "tree")
    listed = open_plain(host, manifest.artefact("files-blog.list"))
    [files] = manifest.files
    assert hashlib.sha256(listed).hexdigest() == files.digest
    entries = list(parse_list(listed.splitlines(), "the list"))
    found = {str(path.relative_to(tree)) for path in tree.rglob("*")} - {"srv"}
    assert found == {entry.path for entry in entries}
    for entry in entries:
        place = tree / entry.path
        original = directory / "root" / entry.path
        assert place.lstat().st_mode == original.lstat().st_mode
        if entry.type in ("file", "hardlink"):
            assert place.read_bytes() == original.read_bytes()
            assert int(place.stat().st_mtime) == entry.mtime_ns // 1_000_000_000
        if entry.type == "file":
            assert hashlib.sha256(place.read_bytes()).hexdigest() == entry.sha256
    assert (files.upload_count, files.uploads) == (len(ODD) + 1, "/srv/blog/uploads")
    assert (tree / "srv/blog/uploads" / ODD[0]).samefile(tree / "srv/blog/uploads/2026/05/again")
    assert not (tree / "srv/blog/cache").exists()
    assert not (tree / "srv/blog/wp-config.php").exists()


def test_the_manifest_is_signed_published_last_and_describes_what_lies_there(
    directory: Path, shared_server: Server
) -> None:
    published: list[str] = []
    store = HookedStore(directory / "repository", before_commit=published.append)
    host = make_host(directory, shared_server, sites=[blog(directory)], store=store)
    manifest = run_backup(host)
    assert host.catalog.newest() == manifest
    ours = [key for key in published if manifest.id in key]
    assert ours[-2:] == [f"acme/backups/{manifest.id}/manifest.json{end}" for end in (".sig", "")]
    for artefact in manifest.artefacts:
        data = (Path(host.store.where) / artefact.key).read_bytes()
        assert len(data) == artefact.sealed.cipher_size
        assert hashlib.sha256(data).hexdigest() == artefact.sealed.cipher_sha256
        plain = open_plain(host, artefact)
        assert (len(plain), hashlib.sha256(plain).hexdigest()) == (
            artefact.sealed.plain_size,
            artefact.sealed.plain_sha256,
        )
    assert [phase.name for phase in manifest.phases] == ["look", "database", "files-blog", "keys", "state"]
    [site] = manifest.sites
    assert (site.http_host, site.config, site.uploads) == (
        "blog.example",
        "/srv/blog/wp-config.php",
        "/srv/blog/uploads",
    )


def test_a_backup_is_recorded_fresh_and_stated_by_a_new_head(directory: Path, shared_server: Server) -> None:
    host = make_host(directory, shared_server, backup={"fresh_h": 5})
    manifest = run_backup(host)
    [entry] = host.ledger.query("backup", "acme")
    record = entry.record_of(BackupBody)
    assert record.outcome is Outcome.PASSED
    assert record.fresh_until is not None
    assert (record.fresh_until - record.started).total_seconds() == 5 * 3600
    assert record.body.backup_id == manifest.id
    assert record.body.cipher_size == sum(artefact.sealed.cipher_size for artefact in manifest.artefacts)
    head = host.catalog.newest_head()
    assert head is not None
    assert head.newest_backup == manifest.id


def test_the_state_archive_holds_the_ledger_the_settings_and_the_trusted_signers(
    directory: Path, shared_server: Server
) -> None:
    host = make_host(directory, shared_server)
    run_backup(host)
    second = run_backup(host)
    state = extract(host, second, "state", directory / "state-again")
    [settings] = host.settings_files
    assert (state / "settings" / settings.relative_to("/")).read_text() == settings.read_text()
    assert (state / "allowed_signers").read_text() == host.trust.allowed_signers.read_text()
    assert (state / "ledger.sqlite").read_bytes().startswith(b"SQLite format 3")


def test_the_lsns_stay_for_later_increments_and_no_plain_text_stays_anywhere(
    directory: Path, shared_server: Server
) -> None:
    host = make_host(directory, shared_server)
    manifest = run_backup(host)
    checkpoints = directory / "state/lsn" / manifest.id / "xtrabackup_checkpoints"
    assert f"to_lsn = {manifest.database.to_lsn}\n" in checkpoints.read_text()
    left = {path.name for path in (directory / "state").iterdir()}
    assert left <= {"lsn", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "fetch"}


def test_the_inventory_names_every_table_view_and_sequence_whatever_its_name_and_engine(
    directory: Path, server: Server
) -> None:
    with server.connect(charset="utf8mb4") as connection, connection.cursor() as cursor:
        for statement in (
            "CREATE DATABASE `odd é-$ db`",
            "CREATE TABLE `odd é-$ db`.`t.#P#ü 日 /..` (i INT)",
            "CREATE TABLE `odd é-$ db`.parts (i INT) PARTITION BY HASH(i) PARTITIONS 3",
            "CREATE TABLE `odd é-$ db`.myparts (i INT) ENGINE=MyISAM PARTITION BY HASH(i) PARTITIONS 2",
            "CREATE TABLE `odd é-$ db`.csv (i INT NOT NULL) ENGINE=CSV",
            "CREATE TABLE `odd é-$ db`.memory (i INT) ENGINE=MEMORY",
            "CREATE TABLE `odd é-$ db`.full (t TEXT, FULLTEXT (t))",
            "CREATE VIEW `odd é-$ db`.`v v` AS SELECT 1",
            "CREATE SEQUENCE `odd é-$ db`.s",
        ):
            cursor.execute(statement)
    manifest = run_backup(make_host(directory, server))
    found = {(t.name, t.kind, t.engine) for t in manifest.database.tables if t.database == "odd é-$ db"}
    assert found == {
        ("t.#P#ü 日 /..", "table", "InnoDB"),
        ("parts", "table", "InnoDB"),
        ("myparts", "table", "MyISAM"),
        ("csv", "table", "CSV"),
        ("memory", "table", "MEMORY"),
        ("full", "table", "InnoDB"),
        ("v v", "view", None),
        ("s", "sequence", "InnoDB"),
    }
    assert {"mysql", "sys"} <= {table.database for table in manifest.database.tables}


def test_the_gtid_state_has_what_was_written_during_the_backup_and_domains_of_other_servers(
    directory: Path, server: Server
) -> None:
    def write_as_another_server() -> None:
        server.sql(
            "SET SESSION gtid_domain_id = 5, SESSION server_id = 99",
            "INSERT INTO shop.t VALUES (1)",
            "SET SESSION gtid_domain_id = 0, SESSION server_id = 98",
            "INSERT INTO shop.t VALUES (2)",
            "SET SESSION server_id = 7",
            "INSERT INTO shop.t VALUES (3)",
        )

    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT PRIMARY KEY)")
    host = make_host(directory, server, progress=During(write_as_another_server))
    database = run_backup(host).database
    assert database.gtid_state == server.value("SELECT @@GLOBAL.gtid_binlog_state")
    written = {(gtid.domain, gtid.server_id) for gtid in BinlogState.parse(database.gtid_state)}
    assert {(0, 7), (0, 98), (5, 99)} <= written
    assert "5-99-" not in database.gtid_position, "the tool's own GTID would do by now"


def test_a_server_without_a_binary_log_is_backed_up_without_a_position(directory: Path) -> None:
    with running_server() as server:
        host = make_host(directory, server)
        manifest, again = run_backup(host), run_backup(host)
    assert (manifest.database.binlog_file, manifest.database.binlog_position) == (None, None)
    assert manifest.database.gtid_state == ""
    assert again.reason == "without a binary log nothing shows that the server went on from its last backup"
    assert not manifest.database.encrypted


def test_what_a_killed_run_left_is_removed_by_the_next_and_was_never_a_backup(
    directory: Path, shared_server: Server
) -> None:
    host = make_host(directory, shared_server)
    abandoned = directory / "repository/acme/backups/20200101T000000Z-full-00000000"
    abandoned.mkdir(parents=True)
    partial = abandoned / ".partial-0123456789abcdef"
    partial.write_bytes(b"half")
    long_ago = utcnow().timestamp() - 3600
    os.utime(partial, (long_ago, long_ago))
    (abandoned / "db.mbstream.zst.age").write_bytes(b"published, but its manifest never was")
    manifest = run_backup(host)
    assert not partial.exists()
    assert host.catalog.backup_ids() == [manifest.id]


def test_a_manifest_of_a_full_backup_is_plain_json_with_numbers_that_fit(
    directory: Path, shared_server: Server
) -> None:
    host = make_host(directory, shared_server)
    manifest = run_backup(host)
    document = json.loads((directory / f"repository/acme/backups/{manifest.id}/manifest.json").read_bytes())
    assert isinstance(document["database"]["last_lsn"], str)
    assert document["database"]["server_id"] == 7
    assert document["kind"] == "full"
    assert document["parent"] is None


@pytest.mark.parametrize("kind", ["full", "incremental"])
@pytest.mark.parametrize("engine", ["InnoDB", "Aria", "MyISAM"])
def test_tables_that_change_during_the_backup_are_in_it_as_they_are_afterwards(
    directory: Path, server: Server, engine: str, kind: str
) -> None:
    names = ("altered", "renamed", "truncated", "dropped", "converted")
    server.sql("CREATE DATABASE shop", *(f"CREATE TABLE shop.{name} (i INT) ENGINE={engine}" for name in names))

    def change() -> None:
        server.sql(
            "ALTER TABLE shop.altered ADD COLUMN more INT, ALGORITHM=COPY",
            "RENAME TABLE shop.renamed TO shop.another",
            "TRUNCATE TABLE shop.truncated",
            "DROP TABLE shop.dropped",
            f"ALTER TABLE shop.converted ENGINE={'Aria' if engine == 'InnoDB' else 'InnoDB'}",
            f"CREATE TABLE shop.made (i INT) ENGINE={engine}",
        )

    host = make_host(directory, server)
    if kind == "incremental":
        run_backup(host)
        # More than a pipe holds, and copied before anything is locked: `change` would wait for the lock, and it for us.
        server.sql(
            "CREATE TABLE shop.much (b LONGBLOB) ENGINE=InnoDB",
            "INSERT INTO shop.much SELECT REPEAT('x', 250000) FROM shop.seq_1_to_16",
            "FLUSH TABLES shop.much FOR EXPORT",
            "UNLOCK TABLES",
        )
    manifest = run_backup(replace(host, progress=During(change)))
    assert manifest.kind == kind
    found = {table.name for table in manifest.database.tables if table.database == "shop"} - {"much"}
    assert found == {"altered", "another", "truncated", "converted", "made"}


@pytest.mark.parametrize("engine", ["InnoDB", "Aria", "MyISAM"])
def test_a_table_that_is_dropped_and_made_again_during_the_backup_is_in_it_or_there_is_no_backup(
    directory: Path, server: Server, engine: str
) -> None:
    server.sql("CREATE DATABASE shop", f"CREATE TABLE shop.t (i INT) ENGINE={engine}")

    def make_again() -> None:
        server.sql("DROP TABLE shop.t", f"CREATE TABLE shop.t (i INT, more INT) ENGINE={engine}")
        made = "SELECT CREATE_TIME < SYSDATE() FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'"
        while not server.value(made):  # times have whole seconds: another one has to begin
            pass

    host = make_host(directory, server, progress=During(make_again))
    refusal = None
    try:
        run_backup(host)
    except IntegrityError as error:
        refusal = error
    if refusal is None:
        stream = extract(host, host.catalog.newest(), "db", directory / "db")
        assert (stream / "shop/t.frm").exists()
    else:  # mariadb-backup forgot it, and said nothing
        assert "shop/t.frm" in refusal.message
        assert host.catalog.backup_ids() == []


@pytest.mark.parametrize("statement", ["ALTER TABLE shop.t ADD COLUMN more INT", "RENAME TABLE shop.t TO shop.renamed"])
def test_tables_changed_before_the_backup_and_never_flushed_are_in_it(
    directory: Path, server: Server, statement: str
) -> None:
    server.sql("CREATE DATABASE shop", "CREATE TABLE shop.t (i INT PRIMARY KEY)", statement)
    manifest = run_backup(make_host(directory, server))
    assert len([table for table in manifest.database.tables if table.database == "shop"]) == 1
