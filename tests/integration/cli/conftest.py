"""Machines for commands: one without a database, and a customer's host that `opsctl init` set up."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl.cli.main import run
from opsctl.core.settings_example import render
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.overview.demo.stack import DemoStack
from opsctl.settings import Settings

SIGNER = "host@acme"


class Machine:
    """A directory with opsctl.toml in it, and the command line to use it with."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.directory = directory
        self.config = directory / "opsctl.toml"
        self._capsys = capsys

    def opsctl(self, *words: str) -> tuple[int, str, str]:
        """Run a command; its exit code, standard output and standard error."""
        assert self._capsys is not None
        self._capsys.readouterr()
        code = run(["--config", str(self.config), *words])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command with --json; its exit code and document."""
        code, out, _ = self.opsctl(*words, "--json")
        return code, json.loads(out)


def plain_machine(directory: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    """A machine with settings, keys and an empty repository, but no database."""
    create_key(directory / "signing_key", SIGNER)
    (directory / "allowed_signers").write_text(allowed_signers_line(SIGNER, directory / "signing_key.pub"))
    values = {
        "stack": {"name": "acme"},
        "machine": {"state_dir": directory / "state", "lock_dir": directory / "locks"},
        "trust": {
            "signer": SIGNER,
            "signing_key": directory / "signing_key",
            "allowed_signers": directory / "allowed_signers",
        },
        "repositories": [{"name": "local", "path": directory / "repository"}],
    }
    (directory / "opsctl.toml").write_text(render(Settings, values))
    return Machine(directory, capsys)


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return plain_machine(tmp_path, capsys)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def init_words(machine: Machine, stack: DemoStack) -> tuple[str, ...]:
    """The words of `opsctl init` for the throwaway customer, everything below the machine's directory."""
    return (
        *("init", "--stack", "demo", "--root", str(stack.root), "--place", "all"),
        *("--repository", str(machine.directory / "repository"), "--state-dir", str(machine.directory / "state")),
        *("--lock-dir", str(machine.directory / "locks"), "--scratch-dir", str(machine.directory)),
    )


def run_accounts_sql(machine: Machine, stack: DemoStack) -> None:
    """Run what init wrote, as the database's root."""
    text = (machine.directory / "accounts.sql").read_text()
    statements = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    with stack.connect() as connection, connection.cursor() as cursor:
        for statement in statements.split(";\n"):
            if statement.strip():
                cursor.execute(statement)


@pytest.fixture
def customer(demo: DemoStack, directory: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    """The throwaway customer's host, set up by `opsctl init`, its drills on the same machine."""
    machine = Machine(directory, capsys)
    code, _, err = machine.opsctl(*init_words(machine, demo))
    assert code == 0, err
    run_accounts_sql(machine, demo)
    return machine
