"""Probes of repositories: they answer, the newest backup in each is signed by somebody trusted, and there is room."""

import os
import shutil
from functools import partial
from pathlib import Path

from backup.catalog import Catalog
from opsctl.core.errors import IntegrityError, UnreachableError
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.runner import Runner
from opsctl.core.store import DeniedError
from opsctl.core.store.directory import DirectoryStore
from opsctl.core.words import counted

SMALLEST_BYTES = 1 << 30
_GB = 1_000_000_000


def repository_probes(name: str, catalog: Catalog, *, writes: bool) -> list[Look]:
    """All of them; a drill host, which only reads, needs no room (`writes` is false)."""
    prefix = f"repository.{name.replace('-', '_')}"
    probes = [
        Look(
            f"{prefix}.readable",
            f"the repository '{name}' can be read",
            "it answers, and the newest backup in it is signed by somebody trusted",
            partial(_readable, catalog),
            failing=(UnreachableError, DeniedError, IntegrityError),
        )
    ]
    if isinstance(catalog.store, DirectoryStore):
        path = catalog.store.directory
        probes.append(
            Look(
                f"{prefix}.writable",
                f"the repository '{name}' is writable",
                "a directory that this user may write to",
                partial(_writable, path),
            )
        )
        if writes:
            probes.append(
                Look(
                    f"{prefix}.space",
                    f"the repository '{name}' has room",
                    "room for two backups like the newest, and for 1 GB at least",
                    partial(_space, path, catalog),
                )
            )
    return probes


def _readable(catalog: Catalog, host: Runner) -> Seen:
    ids = catalog.backup_ids()
    if not ids:
        return good("no backup yet")
    return good(f"{counted(len(ids), 'backup')}, the newest {catalog.manifest(ids[-1]).id}")


def _writable(path: Path, host: Runner) -> Seen:
    place = _existing(path)
    if not place.is_dir():
        return bad(f"{place} is no directory", f"ls -ld {place}")
    if not os.access(place, os.W_OK | os.X_OK):
        return bad(f"this user may not write to {place}", f"run as its owner, or: chown $USER {place}")
    return good(str(path) if place == path else f"{path} will be made in {place}")


def _space(path: Path, catalog: Catalog, host: Runner) -> Seen:
    free = shutil.disk_usage(_existing(path)).free
    ids = catalog.backup_ids()
    newest = sum(part.sealed.cipher_size for part in catalog.manifest(ids[-1]).artefacts) if ids else 0
    needed = max(2 * newest, SMALLEST_BYTES)
    said = f"{free / _GB:.1f} GB free" + (f", the newest backup has {newest / _GB:.2g} GB" if newest else "")
    if free < needed:
        return bad(said, f"make room or move the repository: df -h {path}", free_bytes=free, needed_bytes=needed)
    return good(said, free_bytes=free, needed_bytes=needed)


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())
