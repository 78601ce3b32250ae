"""Probes of the place where drills run: bubblewrap, and a scratch directory with room."""

import os
import shutil
from functools import partial
from pathlib import Path

from backup.catalog import Catalog
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.core.sandbox import sandboxed

TIMEOUT_S = 20.0
# Leaves room for the name of a scratch directory and of a socket in it: 107 bytes in all, unix(7).
LONGEST_PATH = 60
SMALLEST_BYTES = 2 << 30
_GB = 1_000_000_000


def sandbox_probes(scratch: Path, catalog: Catalog | None) -> list[Look]:
    """`catalog`: of the repository whose backups are drilled here, if there is one."""
    return [
        Look("sandbox.runs", "the sandbox runs", "bubblewrap shuts a program in, without a network", _runs),
        Look(
            "sandbox.scratch",
            "the scratch directory has room",
            "room for the newest backup twice, and for 2 GB at least",
            partial(_scratch, scratch, catalog),
        ),
    ]


def _runs(host: Runner) -> Seen:
    done = host.run(sandboxed(command("cat", "/proc/net/route"), []), timeout_s=TIMEOUT_S)
    if not done.ok:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.status}"]
        return bad(last[0], "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
    if len(done.text().splitlines()) > 1:
        return bad("there is a route out of the sandbox", "report this: the sandbox must have no network")
    return good("a program ran in it and had no way out")


def _scratch(scratch: Path, catalog: Catalog | None, host: Runner) -> Seen:
    if not scratch.is_dir() or not os.access(scratch, os.W_OK | os.X_OK):
        return bad(f"{scratch} is no directory this user may write to", "set drill.scratch_dir to one that is")
    if len(os.fsencode(scratch)) > LONGEST_PATH:
        return bad(f"{scratch} is too long a path for sockets", f"choose one of at most {LONGEST_PATH} bytes")
    free = shutil.disk_usage(scratch).free
    ids = [] if catalog is None else catalog.backup_ids()
    newest = sum(part.sealed.plain_size for part in catalog.manifest(ids[-1]).artefacts) if catalog and ids else 0
    needed = max(2 * newest, SMALLEST_BYTES)
    said = f"{free / _GB:.1f} GB free"
    if free < needed:
        return bad(f"{said}, {needed / _GB:.1f} GB are needed", f"make room, or set drill.scratch_dir: df -h {scratch}")
    return good(said, free_bytes=free, needed_bytes=needed)
