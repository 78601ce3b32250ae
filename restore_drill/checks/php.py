"""Runs the checks' PHP programs in the sandbox."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from opsctl.core.process import Completed, command, run
from opsctl.core.sandbox import Mount
from restore_drill.checks.view import NO_FILES, in_view
from restore_drill.paths import ScratchPaths

PROGRAMS = Path(__file__).parent.parent / "php"
TIMEOUT_S = 120.0

# Where the programs lie in the sandbox.
ROOM = Path("/run/opsctl")

_OPTIONS = {
    "display_errors": "stderr",
    "log_errors": "0",
    "error_reporting": "E_ALL",
    "auto_prepend_file": "",
    "auto_append_file": "",
    "zend.exception_ignore_args": "1",
    "memory_limit": "512M",
    "mysqli.default_socket": "/run/mysqld/mysqld.sock",
}


def program(paths: ScratchPaths, name: str) -> Path:
    """Put a program where the sandbox's user can read it; the installed one may lie in somebody's home."""
    return write_room(paths, name, (PROGRAMS / name).read_text())


def write_room(paths: ScratchPaths, name: str, text: str) -> Path:
    """Write a small file that sandboxed programs may read, in a directory that they cannot write."""
    directory = paths.root / "room"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    file = directory / name
    file.write_text(text)
    file.chmod(0o644)
    return file


def run_php(
    paths: ScratchPaths,
    name: str,
    wanted: Mapping[str, object],
    *,
    view: Sequence[str] = NO_FILES,
    mounts: Sequence[Mount] = (),
) -> Completed:
    """Run a program with `wanted` as JSON on its standard input; return how it ended, whatever its exit status.

    Raises CommandFailedError when it takes longer than `TIMEOUT_S` seconds, OpsError without php.
    """
    options = [word for option, value in _OPTIONS.items() for word in ("-d", f"{option}={value}")]
    cmd = command("php", *options, "-f", ROOM / name)
    mounted = [*mounts, Mount(program(paths, name), ROOM / name)]
    return run(in_view(cmd, view, mounts=mounted), timeout_s=TIMEOUT_S, stdin=json.dumps(wanted).encode(), check=False)
