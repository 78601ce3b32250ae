"""A machine with settings in a file, whose health the program itself is asked for."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "opsctl", "--config", self.directory / "opsctl.toml", *words],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "NO_COLOR": "1"},
        )

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.run(*words, "--json")
        return done.returncode, json.loads(done.stdout)

    def records(self, kind: str) -> list[dict[str, Any]]:
        _, listed = self.json("ledger", "list", "--kind", kind)
        return [self.json("ledger", "show", str(row["seq"]))[1]["record"] for row in listed["entries"]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)
