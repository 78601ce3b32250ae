"""The restored host as a sandboxed program sees it: its files at their original paths, none of this machine's.

A link in the tree is never followed on this machine, where it would lead to the live files: it becomes the same link in
the sandbox, and what it names is shown only if it was restored too.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from backup.manifest import Manifest
from opsctl.core.process import Command
from opsctl.core.sandbox import Mount, bwrap_words, unprivileged_words, watched
from opsctl.stack import rooted

_LINKS = {"/var/run": "../run"}

# What is shown of a host none of whose files matter.
NO_FILES: tuple[str, ...] = tuple(word for path, target in _LINKS.items() for word in ("--symlink", target, path))

# What the sandbox itself needs stays the system's, whatever lies there in the tree.
_SYSTEM = tuple(
    PurePosixPath(path)
    for path in (
        *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/share/mysql", "/usr/share/mariadb"),
        *("/usr/share/php", "/usr/share/nginx", "/usr/share/zoneinfo", "/usr/share/misc"),
        *("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/php"),
        *("/bin", "/sbin", "/lib", "/lib64", "/proc", "/dev", "/tmp", "/run"),  # noqa: S108 - the sandbox's own
    )
)


def site_paths(manifest: Manifest) -> set[str]:
    """The paths that a restored host shows to its sites and its web server: all but the database's own keys."""
    database = {manifest.database.key_file, manifest.database.filekey_file}
    return {path for files in manifest.files for path in files.paths} | {
        path for path in manifest.keys if path not in database
    }


def tree_words(tree: Path, paths: Iterable[str]) -> list[str]:
    """bubblewrap's words that show `paths` of the restored `tree` where they were, read-only.

    Paths that are not in the tree are left out: the program in the sandbox will miss them as the host would.
    """
    links = dict(_LINKS)
    shown: set[PurePosixPath] = set()
    waiting = sorted({_clean(path) for path in paths}, reverse=True)
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        if any(path.is_relative_to(other) for other in shown):
            continue
        further = _visit(tree, path, links, shown)
        waiting += [each for each in further if each not in seen]
        seen.update(further)
    binds = [word for path in sorted(shown) for word in ("--ro-bind", str(tree) + str(path), str(path))]
    return [*(word for path, target in links.items() for word in ("--symlink", target, path)), *binds]


def _visit(tree: Path, path: PurePosixPath, links: dict[str, str], shown: set[PurePosixPath]) -> list[PurePosixPath]:
    """Show a path or note the link on the way to it; return what has to be visited instead."""
    for step in (*reversed(path.parents), path):
        here = Path(str(tree) + str(step))
        try:
            mode = os.lstat(here).st_mode
        except OSError:
            return []
        if stat.S_ISLNK(mode):
            target = os.readlink(here)
            links[str(step)] = _from_root(target, step)
            return [_clean(str(step.parent / target / path.relative_to(step)))]
    if any(path.is_relative_to(system) for system in _SYSTEM):
        return []
    if any(system.is_relative_to(path) for system in _SYSTEM):
        return [path / name for name in sorted(os.listdir(str(tree) + str(path)))]
    shown.add(path)
    return []


def resolve(tree: Path, path: str) -> str:
    """A path of the restored host with all links resolved as they would be there; its end need not exist.

    Raises OpsError for links that lead round in a circle.
    """
    return str(rooted.resolve(tree, Path(_clean(path)))[1])


def inside(tree: Path, path: str) -> Path:
    """Where a path of the restored host lies in the tree, on this machine; links lead nowhere but into the tree."""
    return rooted.below(tree, Path(resolve(tree, path)))


def _from_root(target: str, link: PurePosixPath) -> str:
    """A link's target without a leading slash, which bubblewrap would take from its own root while it builds."""
    if not target.startswith("/"):
        return target
    return "../" * (len(link.parts) - 2) + target.lstrip("/")


def _clean(path: str) -> PurePosixPath:
    return PurePosixPath(os.path.normpath("/" + path.lstrip("/")))


def in_view(
    cmd: Command, view: Sequence[str], *, mounts: Sequence[Mount] = (), capabilities: Sequence[str] = ()
) -> Command:
    """Return the command wrapped so that it sees the system's programs, `view` (from `tree_words`), then `mounts`.

    `capabilities` hold inside its own user and network namespace only.
    """
    words = [*bwrap_words(())[:-1], *view]
    for mount in mounts:
        words += ["--bind" if mount.writable else "--ro-bind", str(mount.source), str(mount.target)]
    for capability in capabilities:
        words += ["--cap-add", capability]
    return watched(cmd).prefixed((*unprivileged_words(), *words, "--"))
