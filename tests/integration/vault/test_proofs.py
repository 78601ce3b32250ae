"""Proofs, dumps and restored copies: what others check, without the server or without opsctl."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from opsctl.core.errors import IntegrityError, OpsError, SettingsError
from opsctl.core.result import Outcome
from opsctl.core.signing import SignatureError, Verifier
from opsctl.core.verdict import Verdict
from tests.support.mariadb import Server
from tests.support.vault_log import AuditLog, make_log
from vault.context import Vault
from vault.verify import offline
from vault.verify.drill import AuditChainCheck
from vault.verify.dump import verify_dump
from vault.verify.proof import Proof, check, prove, read_proof
from vault.verify.run import reader


@pytest.fixture
def log(vault: Vault, server: Server, tmp_path: Path) -> AuditLog:
    return make_log(vault, server, tmp_path)


def proof_of(log: AuditLog, seq: int) -> Proof:
    return prove(reader(log.vault), log.custody, seq)


def checked_offline(log: AuditLog, proof: Proof, directory: Path) -> "subprocess.CompletedProcess[str]":
    """What a third party does: one command, in an empty environment, with nothing of opsctl on the path."""
    alone = directory / "elsewhere"
    alone.mkdir(exist_ok=True)
    shutil.copy(offline.__file__, alone / "check_proof.py")
    (alone / "proof.json").write_text(proof.model_dump_json())
    return subprocess.run(
        [sys.executable, "-I", "check_proof.py", "proof.json", log.trust.allowed_signers],
        cwd=alone,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("seq", [1, 2, 6, 7])
def test_a_third_party_checks_a_proof_with_one_command(log: AuditLog, seq: int, tmp_path: Path) -> None:
    log.fill(7)
    log.checkpoint()
    log.write("later")
    proof = read_proof(proof_of(log, seq).model_dump_json().encode())
    assert check(proof, log.custody.verifier).payload == f"row {seq}{'x' * seq}"
    done = checked_offline(log, proof, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"row {seq}{'x' * seq}" in done.stdout
    assert 'Good "opsctl-checkpoint" signature' in done.stdout


@pytest.mark.parametrize(
    "change", [{"payload": "eHg="}, {"seq": 2}, {"prev_hash": "00" * 32}, {"path": ()}, {"log_id": "00" * 16}]
)
def test_a_changed_proof_proves_nothing(log: AuditLog, change: dict[str, Any], tmp_path: Path) -> None:
    log.fill(7)
    log.checkpoint()
    proof = proof_of(log, 3).model_copy(update=change)
    with pytest.raises(IntegrityError):
        check(proof, log.custody.verifier)
    assert checked_offline(log, proof, tmp_path).returncode != 0


def test_a_changed_note_proves_nothing(log: AuditLog, tmp_path: Path) -> None:
    log.fill(7)
    log.checkpoint()
    proof = proof_of(log, 7)
    proof = proof.model_copy(update={"note": proof.note.replace("time 20", "time 19")})
    with pytest.raises(SignatureError):
        check(proof, log.custody.verifier)
    assert checked_offline(log, proof, tmp_path).returncode != 0


def test_a_proof_by_somebody_who_is_not_allowed_proves_nothing(log: AuditLog, tmp_path: Path) -> None:
    log.fill(3)
    log.checkpoint()
    proof = proof_of(log, 3)
    log.trust.allowed_signers.write_text("")
    with pytest.raises(SignatureError):
        check(proof, Verifier(log.trust.allowed_signers))
    assert checked_offline(log, proof, tmp_path).returncode != 0


def test_a_row_without_a_checkpoint_is_not_proven(log: AuditLog) -> None:
    log.fill(3)
    log.checkpoint()
    log.write("new")
    with pytest.raises(SettingsError, match="no checkpoint covers row 4"):
        proof_of(log, 4)
    with pytest.raises(SettingsError, match="no row 9"):
        proof_of(log, 9)


def dumped(log: AuditLog, directory: Path, *options: str) -> Path:
    path = directory / "dump.sql"
    with path.open("wb") as out:
        words = ["mariadb-dump", "--no-defaults", "--user=root", f"--socket={log.server.socket}", *options]
        subprocess.run([*words, log.vault.database], stdout=out, check=True)
    return path


@pytest.mark.parametrize("options", [(), ("--hex-blob",), ("--skip-extended-insert",)])
def test_a_dump_is_verified_without_a_server(log: AuditLog, tmp_path: Path, options: tuple[str, ...]) -> None:
    log.fill(300)
    log.write("", "quotes ' \" \\ (),; \n \r \t \0 \x1a é", "');")
    log.checkpoint()
    log.write("tail")
    found = verify_dump(dumped(log, tmp_path, *options), log.custody)
    assert (found.state.verdict, found.state.size, found.state.pinned) == (Verdict.PINNED, 304, 303)
    assert found.state.root == log.verify().state.root


def test_a_changed_dump_is_broken(log: AuditLog, tmp_path: Path) -> None:
    log.fill(30)
    path = dumped(log, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"row 17x", b"row 71x"))
    broken = verify_dump(path, log.custody).state.broken
    assert broken is not None
    assert broken.seq == 17


def test_what_is_no_dump_of_a_vault_is_refused(log: AuditLog, tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("INSERT INTO `other` VALUES (1);\n")
    with pytest.raises(OpsError, match="no audit log"):
        verify_dump(path, log.custody)
    path.write_text("INSERT INTO `audit_log` VALUES\n(1,NOW());\n")
    with pytest.raises(IntegrityError, match="not in the form"):
        verify_dump(path, log.custody)


@dataclass
class Restored:
    """Stands for a restore in progress whose server is the test's."""

    running: Server
    failed: bool = False

    @property
    def server(self) -> "Restored":
        return self

    def need(self) -> "Restored":
        if self.failed:
            raise OpsError("an earlier step failed: it did not start")
        return self

    @contextlib.contextmanager
    def connect(self, *, database: str | None = None) -> Iterator["pymysql.Connection[Any]"]:
        with self.running.connect(database=database) as connection:
            yield connection


def drilled(log: AuditLog, *, failed: bool = False) -> tuple[Outcome, str]:
    result = AuditChainCheck(log.vault.database, log.custody).run(Restored(log.server, failed))
    assert result.outcome is Outcome.PASSED or result.hint
    return result.outcome, result.found


def test_a_restored_log_is_the_beginning_of_the_one_that_was_signed(log: AuditLog) -> None:
    log.fill(5)
    assert drilled(log)[0] is Outcome.COULD_NOT_RUN
    log.checkpoint()
    log.fill(3)
    log.checkpoint()
    assert drilled(log) == (Outcome.PASSED, "8 rows, the first 8 pinned by a checkpoint")
    log.as_root("DROP TRIGGER audit_delete", "DELETE FROM audit WHERE seq > 6")
    assert drilled(log) == (
        Outcome.PASSED, "6 rows, the first 5 pinned by a checkpoint; rows that are newer than this backup: 2",
    )  # fmt: skip
    log.as_root("DROP TRIGGER audit_update", "UPDATE audit SET payload = 'x' WHERE seq = 2")
    assert drilled(log)[0] is Outcome.FAILED


def test_without_a_restored_server_or_vault_the_check_could_not_run(log: AuditLog) -> None:
    assert drilled(log, failed=True)[0] is Outcome.COULD_NOT_RUN
    log.server.sql(f"DROP DATABASE {log.vault.database}")
    assert drilled(log)[0] is Outcome.COULD_NOT_RUN


def test_a_proof_is_one_json_document(log: AuditLog) -> None:
    log.fill(2)
    log.checkpoint()
    document = json.loads(proof_of(log, 1).model_dump_json())
    assert (document["kind"], document["version"]) == ("vault-proof", 1)
    with pytest.raises(IntegrityError, match="version 2"):
        read_proof(json.dumps({**document, "version": 2}).encode())
