"""Probes of the local repository: writable, with room, and its backups readable by the machine's own trust."""

import os
import shutil
from functools import partial
from pathlib import Path

from backup.catalog import Catalog
from backup.settings import RepositorySection
from opsctl.core.runner import Runner
from opsctl.core.signing import Verifier
from opsctl.core.store.directory import DirectoryStore
from opsctl.overview.probes.look import Look, Seen, bad, good

SMALLEST_BYTES = 1 << 30
_GB = 1_000_000_000


def repository_probes(repository: RepositorySection, stack: str, verifier: Verifier, *, writes: bool) -> list[Look]:
    """All of them; a drill host, which only reads, needs no room (`writes` is false)."""
    catalog = Catalog(DirectoryStore(repository.path), stack, verifier)
    prefix = f"repository.{repository.name.replace('-', '_')}"
    probes = [
        Look(
            f"{prefix}.writable",
            f"the repository '{repository.name}' is writable",
            "a directory that this user may write to",
            partial(_writable, repository.path),
        )
    ]
    if writes:
        probes.append(
            Look(
                f"{prefix}.space",
                f"the repository '{repository.name}' has room",
                "room for two backups like the newest, and for 1 GB at least",
                partial(_space, repository.path, catalog),
            )
        )
    return probes


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
