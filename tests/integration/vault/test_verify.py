"""The verdict on real logs: whole, pinned, cut, rewritten, restored; read at once or only what is new."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.core import chain
from opsctl.core.errors import IntegrityError, OpsError, SettingsError
from opsctl.core.mariadb.connect import Connection
from opsctl.core.signing import SignatureError, create_key
from opsctl.core.verdict import Verdict, judge
from tests.support.mariadb import Server
from tests.support.vault_log import AuditLog, make_log
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.verify import walk
from vault.verify.rows import read_range

NO_TRIGGERS = ("DROP TRIGGER audit_update", "DROP TRIGGER audit_delete")


@pytest.fixture
def log(vault: Vault, server: Server, tmp_path: Path) -> AuditLog:
    return make_log(vault, server, tmp_path)


def test_an_empty_log_is_intact_and_not_pinned(log: AuditLog) -> None:
    assert (log.verify().state.verdict, log.verify().state.size) == (Verdict.UNPINNED, 0)


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_verdict_is_that_of_the_simple_walk(log: AuditLog, parallel: int) -> None:
    log.fill(20)
    log.checkpoint()
    log.fill(40_000)
    log.checkpoint()
    log.write("é", "", "\0")
    found = log.verify(parallel=parallel)
    with log.vault.connect(Role.READER) as connection:
        log_id = audit.log_id(connection)
        assert log_id is not None
        simple = judge(log_id, audit.read(connection, first=1, last=50_000), ())
    assert (found.state.size, found.state.root) == (simple.size, simple.root) == (40_023, simple.root)
    assert (found.state.verdict, found.state.pinned, found.since) == (Verdict.PINNED, 40_020, 0)


def test_a_daily_run_reads_only_what_is_new(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.fill(20_000)
    first = log.checkpoint()
    log.fill(15)
    read: list[tuple[int, int]] = []

    def noted(connection: Connection, first: int, last: int, *, archive: bytes | None, sort: bool) -> Iterator[bytes]:
        read.append((first, last))
        return read_range(connection, first, last, archive=archive, sort=sort)

    monkeypatch.setattr(walk, "read_range", noted)
    found = log.verify(full=False)
    assert (read, found.since) == ([(20_001, 20_015)], 20_000)
    full = log.verify()
    assert (found.state.root, found.state.verdict) == (full.state.root, Verdict.PINNED)
    second = log.checkpoint()
    assert second.checkpoint.size == 20_015
    assert log.verify(full=False).since == 20_015
    assert log.verify(full=False, since=first.key).since == 20_000
    with pytest.raises(SettingsError, match="no checkpoint 'other'"):
        log.verify(full=False, since="other")


def test_a_changed_row_is_named(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.as_root(*NO_TRIGGERS, "UPDATE audit SET payload = 'x' WHERE seq = 2")
    assert log.broken() == "2: row 2 is not what was written: its hash differs"


def test_a_missing_row_is_named(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.as_root(*NO_TRIGGERS, "DELETE FROM audit WHERE seq = 2")
    assert log.broken() == "2: row 2 is missing; the next one is 3"


def test_a_missing_beginning_is_named(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.as_root(*NO_TRIGGERS, "DELETE FROM audit WHERE seq = 1")
    assert log.broken() == "1: row 1 is missing; the next one is 2"


@pytest.mark.parametrize("seq", ["18446744073709551615", "1000000", "0"])
def test_a_poisoned_sequence_is_found_at_once(log: AuditLog, seq: str) -> None:
    log.write("a", "b")
    log.as_root("DROP TRIGGER audit_insert", f"INSERT INTO audit VALUES ({seq}, '', '', 'x')")
    assert "row 3 is missing" in log.broken() or "row 0" in log.broken()


def test_a_break_between_two_blocks_is_found(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "BLOCK", 4)
    log.fill(12)
    assert log.verify().state.size == 12
    log.as_root(
        *NO_TRIGGERS,
        "UPDATE audit, audit_log SET prev_hash = REPEAT('x', 32), row_hash = UNHEX(SHA2(CONCAT('opsctl-chain-v1',"
        " log_id, UNHEX(LPAD(HEX(seq), 16, '0')), REPEAT('x', 32), UNHEX(LPAD(HEX(LENGTH(payload)), 16, '0')),"
        " payload), 256)) WHERE seq = 5",
    )
    assert log.broken() == "5: row 5 names another row before it than the one that is there"


def test_a_cut_tail_is_seen_by_a_checkpoint_only(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    log.write("d", "e", "f")
    log.as_root(*NO_TRIGGERS, "DELETE FROM audit WHERE seq > 4")
    assert log.verify().state.verdict is Verdict.PINNED
    log.as_root("DELETE FROM audit WHERE seq > 2")
    for full in (True, False):
        assert "ends after 2 rows; a checkpoint" in log.broken(full=full)
        assert "has seen 3" in log.broken(full=full)


def test_an_older_copy_is_told_from_a_broken_one(log: AuditLog) -> None:
    log.write("a", "b")
    log.checkpoint()
    log.write("c", "d")
    log.checkpoint()
    log.as_root(*NO_TRIGGERS, "DELETE FROM audit WHERE seq > 3")
    assert "the tail was cut, or an older copy was restored" in log.broken(full=False)


def rewritten(log: AuditLog, *, first: int) -> None:
    """Rewrite everything from a row on as root would, with right hashes."""
    with log.vault.connect(Role.READER) as connection:
        log_id = audit.log_id(connection)
        rows = list(audit.read(connection, first=1, last=10**6))
    assert log_id is not None
    prev = rows[first - 2].row_hash if first > 1 else chain.ZERO
    updates = []
    for row in rows[first - 1 :]:
        fake = chain.row_hash(log_id, row.seq, prev, b"fake")
        hashes = f"prev_hash = x'{prev.hex()}', row_hash = x'{fake.hex()}'"
        updates.append(f"UPDATE audit SET payload = 'fake', {hashes} WHERE seq = {row.seq}")
        prev = fake
    log.as_root(*NO_TRIGGERS, *updates)


def test_a_rewritten_log_is_seen_by_a_checkpoint_only(log: AuditLog) -> None:
    log.write("a", "b", "c", "d")
    rewritten(log, first=2)
    assert log.verify().state.verdict is Verdict.UNPINNED


def test_a_rewritten_log_differs_from_its_checkpoint(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    log.write("d")
    rewritten(log, first=2)
    assert log.broken() == "3: the first 3 rows are not those of the checkpoint"
    assert log.broken(full=False) == "3: row 3 is not what it was at the checkpoint"
    with pytest.raises(IntegrityError, match="nothing is signed"):
        log.checkpoint()


def test_a_table_that_is_gone_is_a_broken_log(log: AuditLog) -> None:
    log.write("a")
    log.checkpoint()
    log.as_root("TRUNCATE audit")
    assert "has seen 1" in log.broken()
    log.as_root("DROP TABLE audit")
    assert "audit" in log.broken()


def test_a_checkpoint_by_a_stranger_is_refused(log: AuditLog, tmp_path: Path) -> None:
    log.write("a")
    create_key(tmp_path / "stranger", "stranger")
    stranger = log.trust.model_copy(update={"signer": "stranger", "signing_key": tmp_path / "stranger"})
    AuditLog(log.vault, log.server, log.custody, stranger).checkpoint()
    for full in (True, False):
        with pytest.raises(SignatureError):
            log.verify(full=full)


def test_an_edge_of_another_checkpoint_is_refused(log: AuditLog, tmp_path: Path) -> None:
    log.write("a", "b", "c")
    first = log.checkpoint()
    log.write("d")
    second = log.checkpoint()
    for suffix in (".edge", ".edge.sig"):
        old = tmp_path / "off-box" / first.key.replace(".note", suffix)
        new = tmp_path / "off-box" / second.key.replace(".note", suffix)
        new.unlink()
        new.write_bytes(old.read_bytes())
    with pytest.raises(IntegrityError, match="does not belong"):
        log.verify(full=False)


def test_without_a_log_nothing_can_be_checked(log: AuditLog) -> None:
    log.as_root("DROP TRIGGER audit_log_delete", "DELETE FROM audit_log")
    with pytest.raises(OpsError, match="no audit log") as caught:
        log.verify()
    assert caught.value.exit_code == 3
