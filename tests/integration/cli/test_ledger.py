"""`opsctl ledger` on a real ledger with signed checkpoints in a repository."""

import json
import shutil
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from backup.checkpoints import publish_checkpoint
from opsctl.core.clock import utcnow
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.signing import create_key
from opsctl.overview import wire
from opsctl.settings import load_settings
from tests.integration.cli.conftest import SIGNER, Machine, plain_machine


class Body(BaseModel):
    """A body."""

    number: int


def append(machine: Machine, count: int, *, kind: str = "backup") -> None:
    ledger = wire.ledger(load_settings(machine.config).settings)
    now = utcnow()
    for number in range(count):
        ledger.append(
            Record[Body](
                kind=kind,
                version=1,
                subject="acme",
                started=now,
                finished=now,
                outcome=Outcome.PASSED,
                fresh_until=now + timedelta(hours=1),
                body=Body(number=number),
            )
        )


def checkpoint(machine: Machine) -> Path:
    settings = load_settings(machine.config).settings
    key = publish_checkpoint(wire.store(settings), "acme", wire.ledger(settings), settings.trust)
    assert key is not None
    return machine.directory / "repository" / key


def tampered(machine: Machine, *statements: str) -> None:
    with sqlite3.connect(machine.directory / "state" / "ledger.sqlite") as db:
        db.execute("DROP TRIGGER entry_no_update")
        db.execute("DROP TRIGGER entry_no_delete")
        for statement in statements:
            db.execute(statement)
    db.close()


def test_records_are_listed_by_kind(machine: Machine) -> None:
    append(machine, 2)
    append(machine, 1, kind="drill")
    code, document = machine.json("ledger", "list", "--kind", "drill")
    assert (code, [row["seq"] for row in document["entries"]]) == (0, [3])
    code, out, _ = machine.opsctl("ledger", "list")
    assert [line.split()[0] for line in out.splitlines()] == ["seq", "1", "2", "3"]
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_time_without_a_zone_is_refused(machine: Machine) -> None:
    code, _, err = machine.opsctl("ledger", "list", "--since", "2026-05-01T02:30")
    assert code == 2
    assert "names no time zone" in err


def test_one_record_is_shown_as_it_was_written(machine: Machine) -> None:
    append(machine, 2)
    code, document = machine.json("ledger", "show", "2")
    assert (code, document["record"]["body"]) == (0, {"number": 1})
    assert machine.opsctl("ledger", "show", "3")[0] == 2


def test_reading_makes_no_ledger(machine: Machine) -> None:
    assert machine.opsctl("ledger", "list")[:2] == (0, "no records\n")
    assert machine.opsctl("ledger", "verify")[0] == 3
    assert not (machine.directory / "state").exists()


def test_without_a_checkpoint_the_tail_is_not_pinned(machine: Machine) -> None:
    append(machine, 3)
    code, document = machine.json("ledger", "verify")
    assert (code, document["verdict"], document["pinned"]) == (0, "intact, tail not pinned", 0)


def test_a_checkpoint_pins_the_rows_it_has_seen(machine: Machine) -> None:
    append(machine, 3)
    checkpoint(machine)
    append(machine, 2)
    code, document = machine.json("ledger", "verify")
    assert (code, document["verdict"], document["size"], document["pinned"]) == (0, "intact and pinned", 5, 3)


def test_an_altered_record_breaks_the_chain(machine: Machine) -> None:
    append(machine, 3)
    tampered(machine, "UPDATE entry SET payload = replace(payload, 'passed', 'failed') WHERE seq = 2")
    code, document = machine.json("ledger", "verify")
    assert (code, document["verdict"], document["broken_at"]) == (12, "broken", 2)


def test_a_cut_tail_is_seen_by_a_checkpoint(machine: Machine) -> None:
    append(machine, 3)
    checkpoint(machine)
    tampered(machine, "DELETE FROM entry WHERE seq = 3")
    code, document = machine.json("ledger", "verify")
    assert (code, document["verdict"]) == (12, "broken")
    assert "a checkpoint has seen 3" in document["broken"]


def test_a_ledger_written_anew_is_seen_even_after_a_new_checkpoint(machine: Machine) -> None:
    append(machine, 3)
    checkpoint(machine)
    ledger = machine.directory / "state" / "ledger.sqlite"
    shutil.copy(ledger, machine.directory / "kept.sqlite")
    tampered(machine, "DELETE FROM entry")
    append(machine, 4)
    checkpoint(machine)
    code, document = machine.json("ledger", "verify")
    assert (code, document["verdict"]) == (12, "broken")
    assert "the first 3 rows are not those of the checkpoint" in document["broken"]


def test_a_checkpoint_signed_by_a_stranger_is_an_error(machine: Machine) -> None:
    append(machine, 3)
    note = checkpoint(machine)
    create_key(machine.directory / "strange_key", SIGNER)
    signature = note.with_name(note.name + ".sig")
    signature.unlink()
    with note.open("rb") as data:
        signed = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-n", "opsctl-checkpoint", "-f", machine.directory / "strange_key"],
            stdin=data,
            capture_output=True,
            check=True,
        )
    signature.write_bytes(signed.stdout)
    code, _, err = machine.opsctl("ledger", "verify")
    assert code == 12
    assert "no signer trusted" in err


def test_ssh_keygen_alone_checks_a_checkpoint(machine: Machine) -> None:
    append(machine, 1)
    note = checkpoint(machine)
    with note.open("rb") as data:
        done = subprocess.run(
            [
                *("ssh-keygen", "-Y", "verify", "-f", machine.directory / "allowed_signers", "-I", SIGNER),
                *("-n", "opsctl-checkpoint", "-s", note.with_name(note.name + ".sig")),
            ],
            stdin=data,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr


def test_the_checkpoints_of_another_machines_ledger_are_passed_over(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    append(machine, 1)
    checkpoint(machine)
    other = plain_machine(tmp_path_factory.mktemp("other"), capsys)
    append(other, 5)
    shutil.copytree(machine.directory / "repository", other.directory / "repository")
    code, document = other.json("ledger", "verify")
    assert (code, document["pinned"]) == (0, 0)


def test_an_export_is_enough_to_check_the_chain_elsewhere(machine: Machine) -> None:
    from opsctl.core import chain

    append(machine, 3)
    code, document = machine.json("ledger", "export")
    assert code == 0
    assert json.loads(machine.opsctl("ledger", "export")[1]) == document
    rows = [
        chain.Row(row["seq"], bytes.fromhex(row["prev_hash"]), row["payload"].encode(), bytes.fromhex(row["row_hash"]))
        for row in document["entries"]
    ]
    hashes = list(chain.check(bytes.fromhex(document["log"]), rows))
    assert hashes == [row.row_hash for row in rows]
