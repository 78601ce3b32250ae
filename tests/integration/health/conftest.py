"""A machine with settings in a file, whose health the program itself is asked for."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opsctl.cli.main import run
from opsctl.core.ledger import SqliteLedger
from opsctl.overview.told import LEDGER_FILE

_SETTINGS = """
[stack]
name = "acme"
[trust]
signer = "host@acme"
[machine]
place = "host"
state_dir = "{directory}/state"
lock_dir = "{directory}/run"
[nginx]
enabled = false
"""


@dataclass(frozen=True)
class Done:
    """How a command line ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Program:
    """The program with settings of its own."""

    directory: Path

    def settings(self, *parts: str) -> None:
        text = _SETTINGS.format(directory=self.directory) + "\n".join(parts)
        (self.directory / "opsctl.toml").write_text(text)

    def secret(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def run(self, *words: str) -> Done:
        """Run a command line in this process."""
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = run(["--config", str(self.directory / "opsctl.toml"), *words])
        return Done(int(code), out.getvalue(), errors.getvalue())

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.run(*words, "--json")
        return done.returncode, json.loads(done.stdout)

    def records(self, kind: str) -> list[dict[str, Any]]:
        """What the ledger has of a kind, oldest first."""
        ledger = SqliteLedger(self.directory / "state" / LEDGER_FILE)
        return [json.loads(entry.payload) for entry in ledger.query(kind)]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)
