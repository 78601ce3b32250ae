"""The start path: what `--version` and `--help` import, and that every command is reachable."""

import subprocess
import sys

import pytest

HEAVY = ("pydantic", "pydantic_settings", "rich", "paramiko", "boto3", "google", "pymysql", "cryptography", "sqlite3")

IMPORTS = """
import sys
from opsctl.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(code)
"""


@pytest.mark.parametrize("option", ["--version", "--help", "-h"])
def test_version_and_help_import_nothing_heavy(option: str) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS, option], capture_output=True, text=True, check=True)
    imported = done.stderr.split()
    assert "typer" in imported
    assert [name for name in HEAVY if name in imported] == []
    assert done.stdout.startswith(("opsctl ", "Usage: opsctl"))
