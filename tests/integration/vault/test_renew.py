"""Logs that replaced others: they name what they replaced, and one that does not is found."""

import subprocess
from pathlib import Path

import pytest

from opsctl.core.verdict import Verdict
from tests.support.mariadb import Server
from tests.support.vault_log import AuditLog, make_log
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.migrate import reapply
from vault.verify import renew as renewing
from vault.verify.dump import verify_dump
from vault.verify.lineage import ACTION
from vault.verify.renew import renew

EMPTY = ("TRUNCATE audit", "TRUNCATE audit_head", "TRUNCATE audit_log")
POINTS = ("archived", "audit", "audit_head", "audit_log", "begun")


@pytest.fixture
def log(vault: Vault, server: Server, tmp_path: Path) -> AuditLog:
    return make_log(vault, server, tmp_path)


def begin_anew(log: AuditLog) -> None:
    renew(log.vault, log.custody, actor="root", origin="here", reason="disk died")


def begin_silently(log: AuditLog) -> None:
    """What root does to get rid of a log: a new one, made as the first one was."""
    log.as_root(*EMPTY)
    with log.vault.connect(Role.ADMIN) as connection:
        reapply(connection, versions=(1, 2))


def cut(log: AuditLog, last: int) -> None:
    """Restore an older copy, in effect."""
    log.as_root("DROP TRIGGER audit_delete", f"DELETE FROM audit WHERE seq > {last}")


def renewed(log: AuditLog) -> tuple[int, int]:
    """Rows kept and lost of the log before, as a full verification finds them."""
    found = log.verify()
    assert (found.state.verdict, found.state.broken) == (Verdict.RESTORED, None)
    assert found.renewed is not None
    return found.renewed.old_size, found.renewed.lost


def test_after_a_restore_a_new_log_names_the_old_one(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    cut(log, 2)
    assert log.verify().state.verdict is Verdict.BROKEN
    begin_anew(log)
    log.write("d")
    assert renewed(log) == (2, 1)
    log.checkpoint()
    assert (log.verify().state.size, log.verify().state.pinned) == (2, 2)
    log.as_root("DROP TRIGGER audit_archive_update", "UPDATE audit_archive SET payload = 'x' WHERE seq = 1")
    assert "the log before this one had 2 rows" in log.broken()


def test_a_log_that_replaced_another_in_silence_is_broken(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    begin_silently(log)
    log.write("nothing ever happened")
    assert "the whole log was replaced" in log.broken()
    assert "the whole log was replaced" in log.broken(full=False)


def test_a_log_of_which_nothing_is_left_is_named_by_the_next(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    begin_silently(log)
    log.write("d", "e")
    begin_anew(log)
    assert renewed(log) == (2, 3)


def test_a_renewal_that_hides_lost_rows_is_broken(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    cut(log, 2)
    begin_anew(log)
    with log.vault.connect(Role.ADMIN) as connection:
        told = audit.parse(next(audit.read(connection, first=1, last=1))).event
    assert told is not None
    begin_silently(log)
    with log.vault.connect(Role.ADMIN) as connection:
        audit.append(connection, told.model_copy(update={"details": {**told.details, "lost": 0}}))
    assert "a checkpoint has seen 3" in log.broken(full=False)


def test_a_renewal_over_forged_rows_is_broken(log: AuditLog) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    log.as_root("DROP TRIGGER audit_delete", "DELETE FROM audit WHERE seq > 1", "DROP TRIGGER audit_head_update")
    log.as_root("UPDATE audit_head h JOIN audit a ON a.seq = 1 SET h.seq = 1, h.row_hash = a.row_hash")
    log.write("forged", "c")
    begin_anew(log)
    assert "is not the one that a checkpoint" in log.broken()


def test_every_log_before_is_checked(log: AuditLog) -> None:
    log.write("a", "b")
    begin_anew(log)
    log.write("c")
    begin_anew(log)
    assert renewed(log) == (2, 0)
    log.as_root("DROP TRIGGER audit_archive_update", "UPDATE audit_archive SET payload = 'x' WHERE payload = 'a'")
    assert "the log before this one had 2 rows" in log.broken()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_renewal_is_finished_by_the_next(log: AuditLog, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def killed(name: str) -> None:
        if name == f"vault.renew.{point}":
            raise KilledError

    log.write("a", "b", "c")
    log.checkpoint()
    cut(log, 2)
    monkeypatch.setattr(renewing, "failpoint", killed)
    with pytest.raises(KilledError):
        begin_anew(log)
    monkeypatch.undo()
    begin_anew(log)
    log.write("d")
    assert renewed(log) == (2, 1)


def test_a_dump_tells_of_the_log_before(log: AuditLog, tmp_path: Path) -> None:
    log.write("a", "b", "c")
    log.checkpoint()
    cut(log, 2)
    begin_anew(log)
    path = tmp_path / "dump.sql"
    with path.open("wb") as out:
        words = ["mariadb-dump", "--no-defaults", "--user=root", f"--socket={log.server.socket}", log.vault.database]
        subprocess.run(words, stdout=out, check=True)
    found = verify_dump(path, log.custody)
    assert found.state.verdict is Verdict.RESTORED
    assert found.renewed is not None
    assert (found.renewed.old_size, found.renewed.lost) == (2, 1)
    with log.vault.connect(Role.ADMIN) as connection:
        event = audit.parse(next(audit.read(connection, first=1, last=1))).event
    assert event is not None
    assert event.action == ACTION
    archived, changed = b"'a')", b"'x')"
    assert archived in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(archived, changed))
    assert verify_dump(path, log.custody).state.verdict is Verdict.BROKEN
