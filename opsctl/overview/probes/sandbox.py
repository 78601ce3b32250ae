"""Probes of the place where drills run: bubblewrap, a scratch directory with room, memory, a MariaDB new enough."""

import os
import re
import shutil
from functools import partial
from pathlib import Path

from backup.catalog import Catalog
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.mariadb.version import Version, find_version
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.core.sandbox import sandboxed
from restore_drill.settings import DrillSection

TIMEOUT_S = 20.0
# Leaves room for the name of a scratch directory and of a socket in it: 107 bytes in all, unix(7).
LONGEST_PATH = 60
SMALLEST_BYTES = 2 << 30
# What a server takes besides its buffer pool, and preparing besides its own.
_BESIDES_BYTES = 256 << 20
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
_MIB = 1 << 20
_GB = 1_000_000_000
# The second one only Debian's kernels have.
_NAMESPACES = "user.max_user_namespaces=65536 kernel.unprivileged_userns_clone=1"


def sandbox_probes(drill: DrillSection, catalog: Catalog | None) -> list[Look]:
    """`catalog`: of the repository whose backups are drilled here, if there is one."""
    return [
        Look("sandbox.runs", "the sandbox runs", "bubblewrap shuts a program in, without a network", _runs),
        Look(
            "sandbox.scratch",
            "the scratch directory has room",
            "room for the newest backup twice, and for 2 GB at least",
            partial(_scratch, drill.scratch_dir, catalog),
        ),
        Look(
            "sandbox.memory",
            "the scratch server has memory",
            f"memory for drill.buffer_pool_mb, and {_BESIDES_BYTES // _MIB} MiB besides",
            partial(_memory, drill.buffer_pool_mb * _MIB),
        ),
        Look(
            "sandbox.mariadb",
            "MariaDB here is new enough",
            "mariadbd and mariadb-backup are of the newest backup's series, or of a later one",
            partial(_mariadb, catalog),
        ),
    ]


def _runs(host: Runner) -> Seen:
    done = host.run(sandboxed(command("cat", "/proc/net/route"), []), timeout_s=TIMEOUT_S)
    if not done.ok:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.status}"]
        return bad(
            last[0], "allow user namespaces: sysctl user.max_user_namespaces=65536 kernel.unprivileged_userns_clone=1"
        )
    if len(done.text().splitlines()) > 1:
        return bad("there is a route out of the sandbox", "report this: the sandbox must have no network")
    return good("a program ran in it and had no way out")


def _scratch(scratch: Path, catalog: Catalog | None, host: Runner) -> Seen:
    if not scratch.is_dir() or not os.access(scratch, os.W_OK | os.X_OK):
        return bad(f"{scratch} is no directory this user may write to", f"mkdir -p {scratch}, or set drill.scratch_dir")
    if len(os.fsencode(scratch)) > LONGEST_PATH:
        return bad(
            f"{scratch} is too long a path for sockets",
            f"set drill.scratch_dir to one of at most {LONGEST_PATH} bytes: ls -ld /var/tmp",
        )
    free = shutil.disk_usage(scratch).free
    ids = [] if catalog is None else catalog.backup_ids()
    newest = sum(part.sealed.plain_size for part in catalog.manifest(ids[-1]).artefacts) if catalog and ids else 0
    needed = max(2 * newest, SMALLEST_BYTES)
    said = f"{free / _GB:.1f} GB free"
    if free < needed:
        return bad(f"{said}, {needed / _GB:.1f} GB are needed", f"make room, or set drill.scratch_dir: df -h {scratch}")
    return good(said, free_bytes=free, needed_bytes=needed)


def _memory(buffer_pool: int, host: Runner) -> Seen:
    found = _AVAILABLE.search(Path("/proc/meminfo").read_text())
    if found is None:
        return unknown("the kernel does not say how much memory there is", "cat /proc/meminfo")
    available, needed = int(found[1]) * 1024, buffer_pool + _BESIDES_BYTES
    said = f"{available / _GB:.1f} GB available"
    if available < needed:
        return bad(
            f"{said}, {needed / _GB:.1f} GB are needed",
            "set drill.buffer_pool_mb lower, or see what takes it: free -h",
            available_bytes=available,
            needed_bytes=needed,
        )
    return good(said, available_bytes=available, needed_bytes=needed)


def _mariadb(catalog: Catalog | None, host: Runner) -> Seen:
    ids = [] if catalog is None else catalog.backup_ids()
    if catalog is None or not ids:
        return good("there is no backup yet")
    database = catalog.manifest(ids[-1]).database
    for name, wanted in (("mariadbd", database.server_version), ("mariadb-backup", database.tool_version)):
        done = host.run(command(name, "--version"), timeout_s=TIMEOUT_S)
        here, there = find_version(done.text() + done.stderr), find_version(wanted)
        if here is None or there is None:
            return unknown(
                f"a version cannot be read: {name} here, '{wanted}' in backup {ids[-1]}", f"{name} --version"
            )
        if _series(here) < _series(there):
            return bad(
                f"{name} {here} is here, backup {ids[-1]} is of {there}",
                f"install MariaDB {there.major}.{there.minor} or later: apt-get install mariadb-server mariadb-backup",
            )
    return good(f"of {database.server_version} or later, as backup {ids[-1]} needs")


def _series(version: Version) -> tuple[int, int]:
    return version.major, version.minor
