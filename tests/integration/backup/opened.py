"""Opens archives by hand, with stock programs only."""

import subprocess
from pathlib import Path

from backup.context import Host
from backup.manifest import Artefact, Manifest
from tests.support.host import identity_file, keys_identity_file

_OPEN = 'set -eu -o pipefail; age -d -i "$1" "$2" | zstd -d | '


def place(host: Host, artefact: Artefact) -> Path:
    """The file of an archive in the host's directory store."""
    return Path(host.store.where) / artefact.key


def identity(host: Host, artefact: Artefact) -> Path:
    """The identity that opens an archive."""
    directory = host.machine.state_dir.parent
    return keys_identity_file(directory) if artefact.kind == "keys" else identity_file(directory)


def open_plain(host: Host, artefact: Artefact) -> bytes:
    """The plain bytes of an archive."""
    return _bash(_OPEN + "cat", identity(host, artefact), place(host, artefact))


def extract(host: Host, manifest: Manifest, name: str, into: Path) -> Path:
    """Extract a tar archive, or the database, as the host's README says; return `into`."""
    artefact = manifest.artefact(name)
    into.mkdir(parents=True, exist_ok=True)
    program = 'mbstream -x -C "$3"' if artefact.kind == "database" else 'tar -x -p --numeric-owner -C "$3"'
    _bash(_OPEN + program, identity(host, artefact), place(host, artefact), into)
    return into


def _bash(script: str, *arguments: Path) -> bytes:
    words = ["bash", "-c", script, "bash", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout
