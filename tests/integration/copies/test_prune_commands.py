"""`opsctl backup prune`: by whom, how it is confirmed, and what it says."""

from pathlib import Path

import pytest

from backup.retention.records import KIND, PruneBody
from opsctl.core.ledger import SqliteLedger
from opsctl.core.locks import lock
from tests.integration.cli.conftest import Machine
from tests.support.history import STACK, History, plain_host


class Pruned(Machine):
    """A machine with a history in its repository, and another repository off it."""

    history: History


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Pruned:
    history = History(plain_host(tmp_path), size=500)
    full = history.backup()
    for _ in range(12):
        history.ship(2)
        history.backup(parent=full, files_of=full)
    history.head()
    made = Pruned(tmp_path, capsys)
    made.history = history
    write(made, "all")
    return made


def write(machine: Pruned, place: str) -> None:
    etc, directory = machine.directory / "etc", machine.directory
    machine.config.write_text(
        f"""
[stack]
name = "{STACK}"
[machine]
place = "{place}"
state_dir = "{directory}/state"
lock_dir = "{directory}/locks"
[trust]
signer = "host@acme"
signing_key = "{etc}/signing_key"
allowed_signers = "{etc}/allowed_signers"
[retention]
keep_last = 2
daily = 3
weekly = 0
monthly = 0
yearly = 0
binlog_days = 2
[[repositories]]
name = "local"
path = "{directory}/repository"
[[repositories]]
name = "offsite"
path = "{directory}/repository"
off_host = true
[repositories.retention]
keep_last = 1
daily = 0
weekly = 0
monthly = 0
yearly = 0
binlog_days = 1
"""
    )


def test_a_dry_run_says_why_each_stays_or_goes_and_changes_nothing(machine: Pruned) -> None:
    before = sorted(machine.directory.rglob("*"))
    code, document = machine.json("backup", "prune", "--dry-run")
    assert code == 0
    assert [each["stays"] for each in document["backups"]] == [True] + [False] * 9 + [True] * 3
    assert document["backups"][0]["reasons"][0].startswith("needed by ")
    assert document["backups"][-1]["reasons"][:2] == ["the newest", "the newest that is whole"]
    assert [each["stays"] for each in document["logs"]] == [False] * 20 + [True] * 4
    code, out, _ = machine.opsctl("backup", "prune", "--dry-run")
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "no rule keeps it" in out
    assert "bin.000001 to bin.000020" in out.replace("\n", " ")
    assert sorted(machine.directory.rglob("*")) == before


def test_pruning_has_to_be_confirmed_by_the_repositorys_name_and_is_on_record(machine: Pruned) -> None:
    for words in ((), ("--confirm", "acme"), ("--confirm", "offsite")):
        code, _, err = machine.opsctl("backup", "prune", *words)
        assert code == 2
        assert "--confirm local" in err
    code, document = machine.json("backup", "prune", "--confirm", "local")
    assert (code, len(document["pruned"]["backups"]), document["pruned"]["logs"]) == (0, 9, 20)
    [entry] = SqliteLedger(machine.directory / "state" / "ledger.sqlite").query(KIND, STACK)
    assert entry.record_of(PruneBody).body == PruneBody.model_validate(document["pruned"])
    code, document = machine.json("backup", "verify", "--all")
    assert (code, {each["outcome"] for each in document["backups"]}) == (4, {"passed"})
    assert document["repository"]["stale"][0].startswith("the newest backup in it is of 2026-01-")
    assert machine.opsctl("binlog", "gaps")[0] == 0
    code, out, _ = machine.opsctl("backup", "prune", "--confirm", "local")
    assert (code, out.splitlines()[1]) == (0, "Deleted: 0 objects, 0 B.")


def test_a_repository_may_have_a_retention_of_its_own(machine: Pruned) -> None:
    _, document = machine.json("backup", "prune", "--dry-run", "--repository", "offsite")
    assert [each["stays"] for each in document["backups"]].count(True) == 3


def test_a_host_never_prunes_what_lies_off_it_and_the_drill_host_does(machine: Pruned) -> None:
    write(machine, "host")
    code, _, err = machine.opsctl("backup", "prune", "--repository", "offsite", "--confirm", "offsite")
    assert code == 2
    assert "run it on the drill host" in err
    assert machine.opsctl("backup", "prune", "--repository", "offsite", "--dry-run")[0] == 0
    write(machine, "operator")
    assert machine.opsctl("backup", "prune", "--confirm", "local")[0] == 2
    write(machine, "drill_host")
    assert machine.opsctl("backup", "prune", "--repository", "offsite", "--confirm", "offsite")[0] == 0


@pytest.mark.parametrize("name", ["backup-acme", "ship-acme", "prune-acme-local"])
def test_nothing_is_pruned_while_something_else_writes(machine: Pruned, name: str) -> None:
    with lock(machine.directory / "locks", name, doing="writing for a test"):
        code, _, err = machine.opsctl("backup", "prune", "--confirm", "local")
    assert code == 11
    assert "writing for a test" in err
