"""`opsctl vault` from the outside: a whole life of a vault, its exit codes, its JSON, and what reaches the terminal."""

import csv
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.core.settings_example import render
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.settings import Settings
from tests.integration.cli.conftest import SIGNER, Machine
from tests.support.exports import chat, line, write, write_zip
from tests.support.mariadb import Server
from vault.context import Vault


@pytest.fixture
def machine(server: Server, vault: Vault, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    """A host with an empty vault."""
    key = tmp_path / "signing_key"
    create_key(key, SIGNER)
    (tmp_path / "allowed_signers").write_text(allowed_signers_line(SIGNER, key.with_suffix(".pub")))
    values = {
        "stack": {"name": "acme"},
        "machine": {"state_dir": tmp_path / "state", "lock_dir": tmp_path / "locks"},
        "trust": {"signer": SIGNER, "signing_key": key, "allowed_signers": tmp_path / "allowed_signers"},
        "repositories": [{"name": "away", "path": tmp_path / "repository", "off_host": True}],
        "database": {"socket": server.socket},
        "vault": vault.settings.model_dump(exclude_none=True),
    }
    (tmp_path / "opsctl.toml").write_text(render(Settings, values))
    return Machine(tmp_path, capsys)


def bring(machine: Machine, text: str, name: str = "Trip") -> "tuple[int, dict[str, object]]":
    path = write(machine.directory / "chat.txt", text)
    return machine.json("vault", "import", str(path), "--chat", name, "--zone", "Asia/Kolkata")


def test_a_whole_life(machine: Machine, server: Server, vault: Vault) -> None:
    code, document = machine.json("vault", "init")
    assert (code, document["applied"]) == (0, [])
    assert machine.json("vault", "migrate")[1]["newest"] == document["newest"]
    code, document = bring(machine, chat(0, 30))
    assert (code, document["added"], document["audit_row"]) == (0, 30, 1)
    assert machine.json("vault", "verify")[1]["verdict"] == "intact, tail not pinned"
    code, document = machine.json("vault", "checkpoint")
    assert (code, document["size"], document["off_host"]) == (0, 1, True)
    bring(machine, chat(0, 40))
    code, document = machine.json("vault", "verify")
    assert (code, document["verdict"], document["since"], document["size"]) == (0, "intact and pinned", 1, 2)
    assert machine.json("vault", "verify", "--full", "--parallel", "2")[1]["root"] == document["root"]
    assert machine.json("ledger", "list", "--kind", "vault-verification")[1]["entries"][-1]["outcome"] == "passed"
    server.sql(f"USE {vault.database}", "DROP TRIGGER audit_update", "UPDATE audit SET payload = 'x' WHERE seq = 2")
    code, document = machine.json("vault", "verify")
    assert (code, document["verdict"], document["broken_at"]) == (12, "broken", 2)
    code, out, _ = machine.opsctl("vault", "verify", "--full")
    assert code == 12
    assert "row 2 is not what was written" in out
    assert machine.opsctl("vault", "checkpoint")[0] == 12


def test_a_proof_leaves_the_house(machine: Machine, tmp_path: Path) -> None:
    bring(machine, chat(0, 3))
    machine.opsctl("vault", "checkpoint")
    code, out, _ = machine.opsctl("vault", "prove", "1", "--out", str(tmp_path / "proof.json"))
    assert code == 0
    told = out.splitlines()[-1].split()
    assert told[1:] == ["check_proof.py", "proof.json", "allowed_signers"]
    done = subprocess.run([sys.executable, *told[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, '"action":"vault.import"' in done.stdout) == (0, True)
    code, document = machine.json("vault", "check-proof", str(tmp_path / "proof.json"))
    assert (code, document["proven"]["seq"], document["proven"]["signer"]) == (0, 1, SIGNER)
    assert machine.opsctl("vault", "prove", "7")[0] == 2
    assert machine.opsctl("vault", "check-proof", str(tmp_path / "nothing"))[0] == 2


def test_an_older_copy_begins_a_new_log(machine: Machine, server: Server, vault: Vault) -> None:
    for name in ("a", "b", "c"):
        bring(machine, chat(0, 3), name)
    machine.opsctl("vault", "checkpoint")
    server.sql(f"USE {vault.database}", "DROP TRIGGER audit_delete", "DELETE FROM audit WHERE seq = 3")
    assert machine.json("vault", "verify")[0] == 12
    assert machine.opsctl("vault", "renew", "--reason", "disk died", "--confirm", "other")[0] == 2
    code, document = machine.json("vault", "renew", "--reason", "disk died", "--confirm", vault.database)
    assert (code, document["old_size"], document["lost"], document["verdict"]) == (0, 2, 1, "restored")
    assert machine.json("vault", "verify")[1]["lost"] == 1


def test_an_undecidable_file_is_refused_with_both_readings(machine: Machine) -> None:
    path = write(machine.directory / "chat.txt", "03/01/2024, 21:05 - Bob: a\n")
    words = ("vault", "import", str(path), "--chat", "Trip", "--zone", "UTC")
    code, _, err = machine.opsctl(*words)
    assert code == 2
    assert "dmy: from 3 January 2024" in err
    assert "mdy: from 1 March 2024" in err
    assert machine.json(*words, "--date-order", "mdy")[1]["date_order"] == "mdy"


@pytest.mark.parametrize(
    "point", ["vault.import.media", "vault.import.batch", "vault.import.batch@2", "vault.import.result"]
)
def test_a_killed_import_goes_on_and_loses_nothing(machine: Machine, vault: Vault, point: str) -> None:
    text = "head\n" + chat(0, 4500) + line(2000, "Ann", "a.jpg (file attached)")
    path = write_zip(machine.directory / "x.zip", {"_chat.txt": text, "a.jpg": b"photo", "b.jpg": b"other"})
    words = ["vault", "import", str(path), "--chat", "Trip", "--zone", "UTC"]
    killed = subprocess.run(
        [sys.executable, "-m", "opsctl", "--config", str(machine.config), *words],
        env={**os.environ, "OPSCTL_FAILPOINT": point},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert machine.json("vault", "log")[1]["entries"] == []
    code, document = machine.json(*words)
    assert (code, document["resumed"], document["parsed"], document["added"]) == (0, True, 4501, 4501)
    assert (document["unparsed"], document["media_added"], document["media_unnamed"]) == (1, 2, 1)
    found = machine.json("vault", "stats")[1]
    assert (found["chats"][0]["messages"], found["chats"][0]["unparsed"], found["unfinished_imports"]) == (4501, 1, 0)
    names = [found.name for found in vault.settings.media_dir.rglob("*") if found.is_file()]
    assert len([name for name in names if not name.startswith(".")]) == 2


def test_the_archive_is_compared_with_the_log(machine: Machine, server: Server, vault: Vault) -> None:
    text = chat(0, 6) + line(9, "Ann", "a.jpg (file attached)")
    path = write_zip(machine.directory / "x.zip", {"_chat.txt": text, "a.jpg": b"photo"})
    machine.opsctl("vault", "import", str(path), "--chat", "Trip", "--zone", "UTC")
    bring(machine, chat(0, 9), "Other")

    def compared(*changes: str) -> tuple[int, list[str]]:
        server.sql(f"USE {vault.database}", "SET @opsctl_vault_change = 'attack'", *changes)
        code, document = machine.json("vault", "verify", "--archive")
        return code, document["archive"]["first_faults"]

    assert compared() == (0, [])
    assert compared("DROP TRIGGER messages_update", "UPDATE messages SET body = 'né' WHERE id = 2") == (
        12, ["message 2 is not what was imported"],
    )  # fmt: skip
    assert compared("UPDATE messages SET body = 'ok' WHERE id = 2")[0] == 12
    server.sql(f"UPDATE {vault.database}.messages SET body = 'number 0' WHERE id = 2")
    forged = (
        "INSERT INTO messages (chat_id, sent_local, sent_at, place, kind, body, digest, occurrence, import_id, line_no)"
        " SELECT chat_id, sent_local, sent_at, 7, kind, body, digest, 99, import_id, 99 FROM messages WHERE id = 1"
    )
    code, faults = compared("SET @opsctl_vault_change = 'attack'", forged)
    assert (code, faults[-1].endswith("was put in, or changed, without an import")) == (12, True)
    server.sql("SET @opsctl_vault_change = 'x'", f"DELETE FROM {vault.database}.messages WHERE line_no = 99")
    drop = "DROP TRIGGER import_messages_delete"
    code, faults = compared(drop, "DELETE FROM import_messages WHERE import_id = 2 AND line_no = 3")
    assert "import 2 had other messages than those that the audit log says" in faults
    (kept,) = [found for found in vault.settings.media_dir.rglob("*") if found.is_file()]
    kept.chmod(0o600)
    kept.write_bytes(b"Photo")
    assert "'a.jpg' is not what was imported" in compared()[1]
    kept.unlink()
    assert "'a.jpg' is not in the media directory" in compared()[1]


def test_reading(machine: Machine) -> None:
    text = (
        line(0, "Ann", "Where is the Café?")
        + line(1, "Bob", "at the cafe, 100%_sure")
        + line(2, "Ann", "在那里见面吧")
        + line(3, "Bob", "that is it")
    )
    bring(machine, text)

    def found(*words: str) -> list[str]:
        code, document = machine.json("vault", "search", *words)
        assert code == 0
        return [message["body"] for message in document["messages"]]

    assert found("cafe") == ["Where is the Café?", "at the cafe, 100%_sure"]
    assert found("CAFE", "--sender", "Bob") == ["at the cafe, 100%_sure"]
    assert found("cafe where") == ["Where is the Café?"]
    assert found("见面") == ["在那里见面吧"]
    assert found("100%_") == ["at the cafe, 100%_sure"]
    assert found("100_") == []
    assert found("that is") == ["that is it"]
    assert found("cafe", "--since", "2024-01-13T03:31:00Z") == ["at the cafe, 100%_sure"]
    assert found("cafe", "--until", "2024-01-13T03:31:00Z") == ["Where is the Café?"]
    assert found('cafe" -where +(') == ["Where is the Café?"]
    assert machine.opsctl("vault", "search", "cafe", "--chat", "Other")[0] == 2
    code, document = machine.json("vault", "show", "Trip", "--limit", "2")
    assert [message["body"] for message in document["messages"]] == ["在那里见面吧", "that is it"]
    code, document = machine.json("vault", "stats")
    assert (code, document["chats"][0]["messages"], document["audit_rows"]) == (0, 4, 1)
    assert "Trip" in machine.opsctl("vault", "stats")[1]


def test_what_was_redacted_is_neither_found_nor_shown(machine: Machine, server: Server, vault: Vault) -> None:
    bring(machine, line(0, "Ann", "my secret") + line(1, "Ann", "weather"))
    server.sql(
        f"USE {vault.database}",
        "INSERT INTO redactions (message_id, reason, made_at, audit_seq)"
        " SELECT id, 'asked for', NOW(), 1 FROM messages WHERE body = 'my secret'",
    )
    assert machine.json("vault", "search", "secret")[1]["messages"] == []
    bodies = [message["body"] for message in machine.json("vault", "show", "Trip")[1]["messages"]]
    assert bodies == ["[redacted]", "weather"]


def test_a_message_cannot_reach_the_terminal(machine: Machine) -> None:
    bring(machine, line(0, "Ann\x1b]0;x\x07", "\x1b[2Jgone \u202etxt.exe\nmore"))
    out = machine.opsctl("vault", "show", "Trip")[1]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\u001b[2Jgone \\u202etxt.exe\n    more" in out


def test_the_log_says_who_what_when_and_from_where(
    machine: Machine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 51000 192.0.2.1 22")
    monkeypatch.setenv("SUDO_USER", "ann")
    bring(machine, chat(0, 3), "=Trip")
    monkeypatch.delenv("SSH_CONNECTION")
    bring(machine, chat(0, 3), "Other")
    code, document = machine.json("vault", "log")
    assert (code, [row["subject"] for row in document["entries"]]) == (0, ["=Trip", "Other"])
    assert document["entries"][0]["origin"] == "192.0.2.7"
    assert document["entries"][0]["actor"].startswith("ann@")
    assert len(machine.json("vault", "log", "--origin", "192.0.2.7")[1]["entries"]) == 1
    assert machine.json("vault", "log", "--subject", "Other", "--action", "vault.import")[1]["entries"][0]["row"] == 2
    assert machine.json("vault", "log", "--until", "2020-01-01T00:00:00Z")[1]["entries"] == []
    assert [row["row"] for row in machine.json("vault", "log", "--limit", "1")[1]["entries"]] == [2]
    table = list(csv.DictReader(io.StringIO(machine.opsctl("vault", "log", "--csv")[1])))
    assert [(row["row"], row["subject"], row["action"]) for row in table] == [
        ("1", "'=Trip", "vault.import"),
        ("2", "Other", "vault.import"),
    ]
    assert machine.opsctl("vault", "log", "--csv", "--json")[0] == 2


def test_doctor_looks_at_the_vault(machine: Machine, server: Server, vault: Vault) -> None:
    from opsctl.overview import vault_wire
    from opsctl.settings import load_settings

    names = [probe.id for probe in vault_wire.vault_probes(load_settings(machine.config).settings)]
    assert names == ["vault.tables", "vault.triggers", "vault.definers", "vault.grants"]


def test_a_server_that_is_gone_is_unreachable(machine: Machine, tmp_path: Path) -> None:
    assert machine.opsctl("vault", "verify", "--socket", str(tmp_path / "gone.sock"))[0] == 10
