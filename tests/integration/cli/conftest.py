"""A machine with settings, keys and an empty repository, for commands that need no database."""

import json
from pathlib import Path
from typing import Any

import pytest

from opsctl.cli.main import run
from opsctl.core.settings_example import render
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.settings import Settings

SIGNER = "host@acme"


class Machine:
    """A directory with opsctl.toml in it, and the command line to use it with."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.capsys = capsys
        self.config = directory / "opsctl.toml"
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
        self.config.write_text(render(Settings, values))

    def opsctl(self, *words: str) -> tuple[int, str, str]:
        """Run a command; its exit code, standard output and standard error."""
        code = run(["--config", str(self.config), *words])
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command with --json; its exit code and document."""
        code, out, _ = self.opsctl(*words, "--json")
        return code, json.loads(out)


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)
