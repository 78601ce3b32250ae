"""`backup list` and `backup prune --dry-run` over years of backups: on a directory, and the requests it takes on S3."""

import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path

from backup import layout
from backup.summary import Memory, manifests, summary
from benchmarks.harness import compare, show
from tests.support.history import STACK, History, plain_host

BACKUPS = 10_000
TABLES = 120
SETTINGS = """
[stack]
name = "acme"
[machine]
place = "all"
state_dir = "{directory}/state"
lock_dir = "{directory}/locks"
[trust]
signer = "host@acme"
signing_key = "{directory}/etc/signing_key"
allowed_signers = "{directory}/etc/allowed_signers"
[[repositories]]
name = "local"
path = "{directory}/repository"
"""


def fill(directory: Path, backups: int) -> Path:
    """Write a repository of so many backups, a full one and six incrementals onto it each week; return the settings."""
    history = History(plain_host(directory), size=500, tables=TABLES)
    full = history.backup()
    for number in range(1, backups):
        if number % 7 == 0:
            full = history.backup(after=timedelta(days=1))
        else:
            history.backup(parent=full, files_of=full, after=timedelta(days=1))
    history.ship(96)
    history.head()
    catalog = history.host.catalog
    objects = manifests(catalog)
    memory = Memory(directory / "state", catalog)  # as each backup run has left it
    memory.keep(summary(each, objects[layout.manifest(STACK, each.id)]) for each in history.manifests)
    settings = directory / "opsctl.toml"
    settings.write_text(SETTINGS.format(directory=directory))
    return settings


def opsctl(settings: Path, *words: str) -> None:
    """Run a command, its answer thrown away."""
    command = [sys.executable, "-m", "opsctl", "--config", str(settings), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONSAFEPATH": "1"})


def main() -> None:
    """Time both commands on a directory; each manifest was remembered when it was published."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/dev/shm") as name:
        settings = fill(Path(name), BACKUPS)
        figures = compare(
            {
                "opsctl --version": partial(opsctl, settings, "--version"),
                "opsctl backup list": partial(opsctl, settings, "backup", "list"),
                "opsctl backup prune --dry-run": partial(opsctl, settings, "backup", "prune", "--dry-run"),
            }
        )
        show(f"{BACKUPS} backups in a directory", figures, "aim at 1 s")
