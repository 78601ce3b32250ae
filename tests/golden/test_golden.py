"""Every format that was ever released is read, verified, drilled and restored by this version."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.golden import customer
from tests.golden.customer import FORMATS, ROWS_AT_BACKUP, ROWS_SHIPPED, SITE_URL, STACK, UPLOADS
from tests.support.mariadb import running_server

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Machine:
    """A machine with a copy of one recording. It knows none of the customer's host but its name."""

    directory: Path
    config: Path

    @property
    def repository(self) -> Path:
        return self.directory / "repository"

    @property
    def ledger(self) -> Path:
        return self.directory / "state/ledger.sqlite"

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        words = (sys.executable, "-m", "opsctl", *words, "--config", str(self.config))
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def json(self, *words: str) -> Any:
        """What a command that succeeds answers."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        for part in ("repository", "state"):
            shutil.copytree(request.param / part, directory / part)
        config = customer.settings(directory, directory / "repository", sections={"stack": {"name": STACK}})
        yield Machine(directory, config)


def test_there_is_a_recording_of_every_format_so_far() -> None:
    assert [path.name for path in FORMATS] == ["format-1"]


def test_the_backup_is_what_was_signed(machine: Machine) -> None:
    [backup] = machine.json("backup", "list")["backups"]
    assert machine.run("backup", "verify", backup["id"]).returncode == 0


def test_the_chain_of_binary_logs_has_no_gap(machine: Machine) -> None:
    assert machine.run("binlog", "gaps").returncode == 0


def test_the_ledger_is_intact_and_pinned_by_its_checkpoints(machine: Machine) -> None:
    verified = machine.json("ledger", "verify")
    assert verified["verdict"] == "intact and pinned"
    assert [entry["kind"] for entry in machine.json("ledger", "list")["entries"]] == ["backup", "shipment", "drill"]


def test_all_checks_of_a_drill_pass(machine: Machine) -> None:
    body = machine.json("drill", "run")["report"]["body"]
    assert {result["id"]: result["outcome"] for result in body["results"]} == dict.fromkeys(
        [result["id"] for result in body["results"]], "passed"
    )
    assert len(body["results"]) == 8


def test_a_restore_brings_back_every_row_and_every_file(machine: Machine) -> None:
    target = machine.directory / "restored"
    assert machine.run("restore", "--latest", "--to", str(target)).returncode == 0
    uploads = target / "files/srv/shop/wp-content/uploads/2026"
    assert {path.name: path.read_text() for path in uploads.iterdir()} == {
        f"{number}.txt": f"upload {number}\n" for number in range(1, UPLOADS + 1)
    }
    assert "golden key AUTH" not in (target / "files/srv/shop/wp-config.php").read_text()
    keys = target / "keys/etc/mysql/encryption/keys"
    options = ("--plugin-load-add=file_key_management", f"--file-key-management-filename={keys}", "--skip-grant-tables")
    with running_server(options, datadir=target / "data") as server:
        assert server.value("SELECT COUNT(*) FROM shop.orders") == ROWS_AT_BACKUP + ROWS_SHIPPED
        assert server.value("SELECT option_value FROM shop.g_options WHERE option_name = 'siteurl'") == SITE_URL


def test_a_manifest_of_an_unknown_version_is_refused_though_it_is_signed(machine: Machine) -> None:
    [path] = machine.repository.glob(f"{STACK}/backups/*/manifest.json")
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "version": document["version"] + 1000}))
    path.with_name("manifest.json.sig").unlink()
    key = machine.directory / "keys/signing_key"
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "opsctl-manifest", path], check=True)
    done = machine.run("backup", "verify", document["id"])
    assert done.returncode == 12
    assert f"has version {document['version'] + 1000}" in done.stderr + done.stdout


def test_a_ledger_of_an_unknown_format_is_refused(machine: Machine) -> None:
    with contextlib.closing(sqlite3.connect(machine.ledger)) as ledger, ledger:
        ledger.execute("UPDATE log SET format = format + 1000")
    done = machine.run("ledger", "list")
    assert done.returncode == 1
    assert "the ledger has format" in done.stderr
