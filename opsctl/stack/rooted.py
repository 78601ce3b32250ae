"""Paths as the host sees them, and where they lie on this machine."""

import errno
import os
from pathlib import Path

from opsctl.core.errors import OpsError

# As many as the kernel follows, path_resolution(7).
MAX_LINKS = 40


def below(root: Path, path: Path) -> Path:
    """Where an absolute path of the host lies on this machine, when the host's `/` is `root`."""
    return root / path.relative_to("/")


def as_on_host(root: Path, place: Path) -> tuple[Path, Path]:
    """The host's name of a file that this machine sees at `place`, and what `/` is for that name.

    A program that is not the host's own, such as a server elsewhere on this machine, has files outside of `root`.
    """
    if place.is_relative_to(root):
        return Path("/") / place.relative_to(root), root
    return place, Path("/")


def resolve(root: Path, path: Path) -> tuple[tuple[Path, ...], Path]:
    """Follow symbolic links as the host itself would; an absolute target is seen from `root`.

    Returns the links that were met, each under its own real path, and the real path at the end, which need not exist;
    all of them are paths of the host. Raises OpsError for a loop, or for a directory that may not be searched.
    """
    links: list[Path] = []
    here = Path("/")
    pending = list(reversed(path.parts[1:]))
    while pending:
        name = pending.pop()
        if name == "..":
            here = here.parent
            continue
        target = _read_link(below(root, here / name))
        if target is None:
            here = here / name
            continue
        links.append(here / name)
        if len(links) > MAX_LINKS:
            raise OpsError("symbolic links lead in a circle", where=str(path), hint=f"ls -l {path}")
        if target.is_absolute():
            here = Path("/")
        pending += reversed([part for part in target.parts if part != "/"])
    return tuple(links), here


def _read_link(path: Path) -> Path | None:
    """The target of a link; None for what is no link or not there."""
    try:
        return Path(os.readlink(path))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            return None
        raise OpsError(f"{error.strerror}", where=str(path), hint="run opsctl as a user that may read it") from error
