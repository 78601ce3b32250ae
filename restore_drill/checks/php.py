"""Runs the checks' PHP programs in the sandbox."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.process import Completed, command, run
from opsctl.core.sandbox import Mount
from restore_drill.checks.view import NO_FILES, in_view
from restore_drill.paths import ScratchPaths

PROGRAMS = Path(__file__).parent.parent / "php"
TIMEOUT_S = 120.0

# Where the programs lie in the sandbox.
ROOM = Path("/run/opsctl")

_ERROR = re.compile(r"(Parse|Fatal) error")
_PLACE = re.compile(r" in (/[^\n]+?) on line (\d+)")

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

    Raises CommandFailedError when it takes longer than `TIMEOUT_S` seconds, OpsError without php or a sandbox.
    """
    options = [word for option, value in _OPTIONS.items() for word in ("-d", f"{option}={value}")]
    cmd = command("php", *options, "-f", ROOM / name)
    mounted = [*mounts, Mount(program(paths, name), ROOM / name)]
    done = run(in_view(cmd, view, mounts=mounted), timeout_s=TIMEOUT_S, stdin=json.dumps(wanted).encode(), check=False)
    if done.stderr.startswith("bwrap:"):
        raise OpsError(f"php could not be run in the sandbox: {done.stderr.strip()}", hint="run: opsctl doctor")
    return done


def php_failure(done: Completed) -> str:
    """Why a program did not come to its end. PHP's own sentence is left out: it may quote the line, and a secret."""
    place = _PLACE.findall(done.stderr)
    kind = _ERROR.search(done.stderr)
    if kind and place:
        what = "a syntax error" if kind[1] == "Parse" else "a fatal error"
        return f"php ends with {what} in {place[-1][0]}, line {place[-1][1]}"
    return f"it ended before its settings were read (php exited with {done.status})"
