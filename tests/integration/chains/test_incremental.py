"""Incremental backups: restored, each brings back what the server held; they are made only where that is certain."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backup import layout
from backup.chain import ChainError
from backup.documents import publish
from backup.layout import SIGNATURE
from backup.manifest import Manifest
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError
from opsctl.core.progress import Silent
from opsctl.core.signing import Namespace
from opsctl.core.store import get
from opsctl.overview import wire
from restore_drill.drill import run_drill
from tests.integration.chains.conftest import Small
from tests.support.host import STACK
from tests.support.mariadb import Server, running_server

_TABLES = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' ORDER BY 1"


def rows(server: Server) -> dict[str, Any]:
    """Every row of every table of the shop."""
    return {name: server.sql(f"SELECT * FROM shop.`{name}` ORDER BY 1") for (name,) in server.sql(_TABLES)}


def test_each_backup_of_a_chain_brings_back_what_the_server_held_then(apart: Small) -> None:
    small = apart
    days = (
        (
            "CREATE OR REPLACE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT)",
            "USE shop",
            "INSERT INTO shop.orders SELECT seq, REPEAT('x', 500) FROM seq_1_to_2000",
            "CREATE TABLE shop.`old #name` (id INT PRIMARY KEY)",
            "CREATE TABLE shop.aria (id INT) ENGINE=Aria",
            "CREATE TABLE shop.my (id INT) ENGINE=MyISAM",
            "CREATE TABLE shop.parts (id INT PRIMARY KEY) PARTITION BY HASH(id) PARTITIONS 3",
            "INSERT INTO shop.parts SELECT seq FROM seq_1_to_100",
        ),
        (
            "UPDATE shop.orders SET note = 'changed' WHERE id % 7 = 0",
            "DELETE FROM shop.orders WHERE id > 1900",
            "RENAME TABLE shop.`old #name` TO shop.`new #name`",
            "INSERT INTO shop.aria VALUES (1)",
            "INSERT INTO shop.my VALUES (2)",
            "CREATE TABLE shop.later (id INT PRIMARY KEY)",
            "INSERT INTO shop.later VALUES (1), (2)",
        ),
        (
            "DROP TABLE shop.later",
            "TRUNCATE shop.parts",
            "ALTER TABLE shop.orders ADD COLUMN more INT DEFAULT 5",
            "CREATE TABLE shop.last (id INT PRIMARY KEY)",
            "INSERT INTO shop.last VALUES (9)",
        ),
    )
    made, held = [], []
    for statements in days:
        small.server.sql(*statements)
        held.append(rows(small.server))
        made.append(small.backup())
    assert [(each.kind, each.parent) for each in made] == [
        ("full", None),
        ("incremental", made[0].id),
        ("incremental", made[1].id),
    ]
    for manifest, expected in zip(made, held, strict=True):
        to = small.restore(manifest.id)
        with running_server((), datadir=to / "data") as server:
            assert rows(server) == expected


def test_a_chain_is_drilled_with_the_logs_after_it(small: Small) -> None:
    small.server.sql("CREATE OR REPLACE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)")
    small.backup()
    for number in range(2):
        small.server.sql(f"INSERT INTO shop.t VALUES ({number})")
        small.ship()
        small.backup()
    small.server.sql("INSERT INTO shop.t VALUES (10)")
    small.ship()
    body = run_drill(small.drill_host).body
    assert body.passed == len(body.results), body.results
    assert next(result for result in body.results if result.id == "manifest").figures["parents"] == 2


class Idle:
    """Three backups of a database in which nothing happened: all their LSNs are the same."""

    def __init__(self, small: Small) -> None:
        self.small = small
        self.full, self.second, self.third = (small.backup() for _ in range(3))
        self.host = wire.host(small.loaded, small.drill_host.progress)

    def again(self, manifest: Manifest, **changes: Any) -> None:
        """Publish other words about a backup, signed by the host itself."""
        key = layout.manifest(STACK, manifest.id)
        self.remove(manifest)
        changed = manifest.model_copy(update=changes)
        publish(self.host.store, self.host.signer, Namespace.MANIFEST, key, changed)

    def remove(self, manifest: Manifest) -> None:
        for ending in ("", SIGNATURE):
            self.host.store.delete(layout.manifest(STACK, manifest.id) + ending)

    def sha256(self, manifest: Manifest) -> str:
        return sha256_hex(get(self.host.store, layout.manifest(STACK, manifest.id)))


@pytest.fixture
def idle(small: Small) -> Idle:
    made = Idle(small)
    lsns = {(each.database.from_lsn, each.database.to_lsn) for each in (made.second, made.third)}
    assert lsns == {(made.full.database.to_lsn,) * 2}
    return made


def test_a_backup_is_shown_with_all_that_it_stands_on_or_why_that_is_not_known(idle: Idle) -> None:
    machine = idle.small.machine
    ids = [idle.full.id, idle.second.id]
    assert json.loads(machine.succeed("backup", "show", "--json"))["parents"] == ids
    shown = machine.succeed("backup", "show")
    assert [each in shown for each in ids] == [True, True]
    assert max(len(line) for line in shown.splitlines()) <= 80
    idle.remove(idle.full)
    document = json.loads(machine.succeed("backup", "show", "--json"))
    assert (document["parents"], "is not there" in document["problem"]) == ([], True)


def test_a_missing_parent_is_refused_on_an_idle_database(idle: Idle) -> None:
    idle.remove(idle.second)
    with pytest.raises(ChainError, match=f"{idle.second.id}, the parent of {idle.third.id}, is not there"):
        idle.small.restore(idle.third.id)


def test_a_skipped_parent_is_refused_on_an_idle_database(idle: Idle) -> None:
    idle.again(idle.third, parent=idle.full.id)
    with pytest.raises(ChainError, match="SHA-256"):
        idle.small.restore(idle.third.id)


def test_a_lie_about_the_parent_that_is_whole_in_itself_is_refused(idle: Idle) -> None:
    idle.again(idle.third, parent=idle.full.id, parent_sha256=idle.sha256(idle.full))
    with pytest.raises(IntegrityError, match=f"was copied on {idle.second.id}, its manifest says on {idle.full.id}"):
        idle.small.restore(idle.third.id)


def test_a_parent_that_was_made_anew_is_refused(idle: Idle) -> None:
    idle.again(idle.second, host="another")
    with pytest.raises(ChainError, match="SHA-256"):
        idle.small.restore(idle.third.id)


def _forget_lsns(small: Small, last: Manifest) -> None:
    for file in (small.machine.state / "lsn" / last.id).iterdir():
        file.unlink()


def _other_lsns(small: Small, last: Manifest) -> None:
    file = small.machine.state / "lsn" / last.id / "xtrabackup_checkpoints"
    file.write_text(file.read_text().replace("to_lsn = ", "to_lsn = 1"))


def _forge(small: Small, last: Manifest) -> None:
    file = small.machine.repository / layout.manifest(STACK, last.id)
    file.write_bytes(file.read_bytes().replace(b'"host":"', b'"host":"x'))


def _limit(small: Small, last: Manifest) -> None:
    small.machine.change(backup={"max_incrementals": 0})


def _say(**changes: str) -> Callable[[Small, Manifest], None]:
    """Let the last backup be of another server or tool, as its signed manifest says."""

    def spoil(small: Small, last: Manifest) -> None:
        host = wire.host(small.loaded, Silent())
        key = layout.manifest(STACK, last.id)
        for ending in ("", SIGNATURE):
            host.store.delete(key + ending)
        other = last.model_copy(update={"database": last.database.model_copy(update=changes)})
        publish(host.store, host.signer, Namespace.MANIFEST, key, other)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (_say(server_version="10.11.2-MariaDB"), "the server's version changed since .*: it was 10.11.2-MariaDB, and"),
        (_say(tool_version="10.11.2-MariaDB"), "the version of mariadb-backup changed since .*: it was 10.11.2, and"),
        (_forget_lsns, "the LSNs of .* are not on this machine"),
        (_other_lsns, "the LSNs on this machine are not those of"),
        (_forge, "is not to be believed"),
        (_limit, "0 incremental ones follow the last full one"),
    ],
)
def test_a_full_backup_is_taken_where_the_last_one_cannot_be_built_on(
    small: Small, spoil: Callable[[Small, Manifest], None], because: str
) -> None:
    spoil(small, small.backup())
    _expect_full(small, because)


def test_a_full_backup_is_taken_each_week(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    first = small.backup()
    for days, kind, reason in (
        (6.5, "incremental", None),
        (7, "full", f"the last full one, {first.id}, is 7 days old"),
    ):
        later = first.started + timedelta(days=days)
        monkeypatch.setattr("backup.continuation.utcnow", lambda later=later: later)
        made = small.backup()
        assert (made.kind, made.reason) == (kind, reason)


def test_a_full_backup_is_taken_when_it_is_asked_for(small: Small) -> None:
    assert small.backup().reason == "it is the first one"
    assert small.backup("full").reason == "it was asked for"
    assert small.backup("incremental").kind == "incremental"


def test_a_full_backup_is_taken_after_each_break_of_the_binary_log(apart: Small) -> None:
    small, server = apart, apart.server
    small.backup()
    server.sql("RESET MASTER", *["FLUSH BINARY LOGS"] * 3)
    _expect_full(small, "the binary log (is not that of|does not show that the server went on)")
    server.sql("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    server.sql(f"PURGE BINARY LOGS TO '{server.sql('SHOW BINARY LOGS')[-1][0]}'")
    _expect_full(small, "it was not shipped")
    server.sql("SET GLOBAL server_id = 8")
    _expect_full(small, "the server's id changed since .*: it was 7, and is 8")


def test_a_gap_in_what_was_shipped_asks_for_a_full_backup(apart: Small) -> None:
    small, server = apart, apart.server
    small.backup()
    small.ship()
    server.sql("RESET MASTER", "CREATE OR REPLACE DATABASE shop")
    with pytest.raises(IntegrityError, match="a gap in the binary log"):
        small.ship()
    _expect_full(small, "began anew after the full backup")


def test_logs_that_were_purged_after_they_were_shipped_break_nothing(apart: Small) -> None:
    small, server = apart, apart.server
    small.backup()
    small.ship()
    server.sql(f"PURGE BINARY LOGS TO '{server.sql('SHOW BINARY LOGS')[-1][0]}'")
    assert small.backup().kind == "incremental"


def test_a_full_backup_is_taken_of_a_data_directory_that_was_put_back(apart: Small, directory: Path) -> None:
    """Its GTIDs, LSNs and binary log are those of the last backup; only the files are others."""
    small, server = apart, apart.server
    small.backup()
    server.stop()
    before = server.datadir.rename(directory / "before")
    _copy(before, server.datadir)
    server.start()
    _expect_full(small, "the data directory was replaced since")


def _copy(source: Path, target: Path) -> None:
    import subprocess

    subprocess.run(["cp", "--archive", source, target], check=True)


def _expect_full(small: Small, because: str) -> None:
    """The next backup is a full one, for a reason, and restores; the one after it is built on it."""
    import re

    taken = small.backup("incremental")
    assert taken.kind == "full"
    assert re.search(because, str(taken.reason)), taken.reason
    small.machine.change(backup={"max_incrementals": 30})
    after = small.backup()
    assert (after.kind, after.parent) == ("incremental", taken.id)
