"""`opsctl backup` and `opsctl binlog` on a customer's host, from the command line to the repository."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.clock import utcnow
from opsctl.core.locks import lock
from opsctl.overview import wire
from opsctl.overview.demo.stack import DemoStack
from opsctl.overview.status import look
from opsctl.settings import load_settings
from tests.integration.cli.conftest import Machine


@pytest.fixture
def backed_up(demo: DemoStack, customer: Machine) -> Machine:
    code, out, err = customer.opsctl("backup", "run", "--quiet")
    assert (code, out, err) == (0, "", ""), err
    return customer


def archive(machine: Machine) -> Path:
    return next((machine.directory / "repository").rglob("db.mbstream.zst.age"))


def test_a_backup_is_made_listed_shown_and_verified(backed_up: Machine) -> None:
    code, document = backed_up.json("backup", "list")
    assert code == 0
    (row,) = document["backups"]
    assert row["tables"] > 100
    code, document = backed_up.json("backup", "show", row["id"])
    assert (code, document["manifest"]["id"]) == (0, row["id"])
    code, document = backed_up.json("backup", "verify")
    assert (code, document["backups"][0]["outcome"]) == (0, "passed")
    for words in (("list",), ("show",), ("verify", "--all"), ("run",)):
        _, out, _ = backed_up.opsctl("backup", *words)
        assert max(len(line) for line in out.splitlines()) <= 80


def test_an_altered_archive_is_no_longer_what_was_signed(backed_up: Machine) -> None:
    path = archive(backed_up)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(data)
    code, out, _ = backed_up.opsctl("backup", "verify")
    assert code == 12
    assert "db.mbstream.zst.age has other bytes than the manifest says" in " ".join(out.split())


def test_every_run_pins_the_ledger(backed_up: Machine) -> None:
    backed_up.opsctl("binlog", "ship")
    code, document = backed_up.json("ledger", "verify")
    assert (code, document["verdict"], document["pinned"]) == (0, "intact and pinned", 2)


def test_binary_logs_are_shipped_listed_and_without_gaps(demo: DemoStack, backed_up: Machine) -> None:
    demo.write_more(2)
    code, document = backed_up.json("binlog", "ship")
    assert code == 0
    assert document["full_backup_due"] is None
    assert sum(segment["transactions"] for segment in document["segments"]) > 2
    code, document = backed_up.json("binlog", "list")
    assert (code, len(document["lineages"])) == (0, 1)
    assert backed_up.json("binlog", "gaps") == (0, {"version": 1, "kind": "binlog-gaps", "gaps": []})
    for words in (("list",), ("gaps",), ("ship",)):
        _, out, _ = backed_up.opsctl("binlog", *words)
        assert max(len(line) for line in out.splitlines()) <= 80


def test_a_lost_segment_is_a_gap(backed_up: Machine) -> None:
    for _ in range(3):
        backed_up.opsctl("binlog", "ship")
    records = sorted((backed_up.directory / "repository/demo/binlog").glob("s*/*/*.json"))
    records[1].unlink()
    code, out, _ = backed_up.opsctl("binlog", "gaps")
    assert code == 12
    assert "is missing" in out


def test_a_wrong_password_has_its_exit_code(demo: DemoStack, backed_up: Machine) -> None:
    for name in ("backup", "ship"):
        (backed_up.directory / "secrets" / f"{name}.password").write_text("wrong-password-7f3a\n")
    for words in (("backup", "run"), ("binlog", "ship")):
        code, out, err = backed_up.opsctl(*words)
        assert code == 5
        assert "wrong-password-7f3a" not in out + err
        assert "Try:" in err


def test_a_server_that_is_not_there_has_its_exit_code(demo: DemoStack, backed_up: Machine) -> None:
    demo.stop()
    assert backed_up.opsctl("backup", "run")[0] == 10
    assert backed_up.opsctl("binlog", "ship")[0] == 10


def test_reading_leaves_no_trace(backed_up: Machine) -> None:
    def everything() -> dict[Path, bytes]:
        kept = ("-wal", "-shm")
        return {
            path: path.read_bytes()
            for path in backed_up.directory.rglob("*")
            if path.is_file() and not path.name.endswith(kept)
        }

    before = everything()
    for words in ("backup list", "backup show", "binlog list", "binlog gaps", "ledger list", "ledger verify", "doctor"):
        assert backed_up.opsctl(*words.split())[0] == 0
    assert everything() == before


def test_a_restore_brings_back_what_was_shipped(demo: DemoStack, backed_up: Machine) -> None:
    demo.write_more(2)
    backed_up.opsctl("binlog", "ship")
    to = backed_up.directory / "restored"
    code, document = backed_up.json("restore", "--latest", "--to", str(to))
    assert code == 0, document
    assert document["report"]["transactions"] > 2
    assert {path.name for path in to.iterdir()} >= {"data", "files", "keys", "START.txt", "my.cnf"}
    code, out, _ = backed_up.opsctl("restore", "--to", str(backed_up.directory / "another"))
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_restore_onto_something_is_refused(backed_up: Machine) -> None:
    code, _, err = backed_up.opsctl("restore", "--to", str(backed_up.directory))
    assert code == 2
    assert "the target is not empty" in err


def test_a_point_in_time_without_a_zone_is_refused(backed_up: Machine) -> None:
    code, _, err = backed_up.opsctl("restore", "--at", "2026-05-01T02:30:00", "--to", str(backed_up.directory / "x"))
    assert code == 2
    assert "names no time zone" in err


def test_two_runs_at_once_are_kept_apart(backed_up: Machine) -> None:
    with lock(backed_up.directory / "locks", "backup-demo", doing="holding it for a test"):
        code, _, err = backed_up.opsctl("backup", "run")
        assert code == 11
        assert "holding it for a test" in err
        assert "--lock-wait" in err
        code, document = backed_up.json("backup", "run", "--lock-wait", "0.5")
        assert (code, document["kind"], document["exit_code"]) == (11, "error", 11)
    assert backed_up.opsctl("backup", "run", "--quiet")[0] == 0


def test_a_logical_export_is_made_listed_shown_verified_drilled_and_restored(customer: Machine) -> None:
    def layer() -> dict[str, Any]:
        found: dict[str, Any] = customer.json("backup", "layers")[1]["layers"][4]
        return found

    assert (layer()["configured"], layer()["note"]) == (False, "none was made: opsctl backup run --kind logical")
    code, out, err = customer.opsctl("backup", "run", "--kind", "logical")
    assert code == 0, err
    assert "is complete, signed and read back" in out
    code, document = customer.json("backup", "list")
    assert (code, document["backups"]) == (0, [])
    [row] = document["exports"]
    assert {"wordpress", "crm"} <= {
        dump["database"] for dump in customer.json("backup", "show", row["id"])[1]["export"]["dumps"]
    }
    code, document = customer.json("backup", "verify", row["id"])
    assert (code, document["backups"][0]["outcome"]) == (0, "passed")
    assert customer.json("backup", "verify", "--all")[1]["backups"][0]["backup_id"] == row["id"]
    due = {each["command"] for each in customer.json("status")[1]["due"]}
    assert ("opsctl drill run --export latest" in due, "opsctl backup run --kind logical" in due) == (True, False)
    code, document = customer.json("drill", "run", "--export", "latest")
    assert (code, {result["outcome"] for result in document["report"]["body"]["results"]}) == (0, {"passed"}), document
    drill_id = document["report"]["body"]["id"]
    assert customer.json("drill", "list")[1]["exports"][0]["id"] == drill_id
    assert customer.json("drill", "show", drill_id)[1]["report"] == document["report"]
    found = layer()
    assert found["drilled"] == document["report"]["finished"]
    assert None not in (found["succeeded"], found["verified"])
    status = customer.json("status")[1]
    assert status["last_drill"] is None, "a drill of an export is none of a backup"
    assert "opsctl drill run --export latest" not in {each["command"] for each in status["due"]}
    settings = load_settings(customer.config).settings
    later = look(settings, wire.surveys(settings), wire.ledger(settings), at=utcnow() + timedelta(days=9))
    assert "opsctl backup run --kind logical" in {each.command for each in later.due}
    to = customer.directory / "loaded"
    code, out, err = customer.opsctl("restore", "--export", row["id"], "--to", str(to))
    assert code == 0, err
    assert {path.name for path in to.iterdir()} >= {"data", "my.cnf", "START.txt"}
    outputs = [out]
    for words in (
        ("backup", "run", "--kind", "logical"),
        ("backup", "list"),
        ("backup", "show", row["id"]),
        ("backup", "verify", row["id"]),
        ("backup", "layers"),
        ("drill", "run", "--export", row["id"]),
        ("drill", "list"),
        ("drill", "show", drill_id),
    ):
        code, out, err = customer.opsctl(*words)
        assert code == 0, err
        outputs.append(out)
    assert [line for out in outputs for line in out.splitlines() if len(line) > 80] == []
    assert customer.opsctl("drill", "run", "--export", "latest", "--backup", "x")[0] == 2
    assert customer.opsctl("restore", "--export", "latest", "--latest", "--to", str(to))[0] == 2
    assert customer.opsctl("backup", "show", "20200101T000000Z-logical-00000000")[0] == 2
