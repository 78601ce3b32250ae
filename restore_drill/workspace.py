"""Scratch directories: locked for as long as their process lives, and removed with it or by the next run.

A directory `NAME` belongs to the process that holds flock(2) on `NAME.lock` beside it. A lock that can be taken is a
dead run's: its directory is removed. So SIGKILL leaves nothing for longer than until the next run.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.sandbox import sandbox_owner
from restore_drill.paths import ScratchPaths

PREFIX = "opsctl-"
LOCK = ".lock"


@contextlib.contextmanager
def workspace(parent: Path, *, prefix: str = PREFIX) -> Iterator[ScratchPaths]:
    """A scratch directory below `parent`, laid out for a restore; see `scratch_directory`.

    Its parts exist and belong to the sandbox's user; nobody else but root gets in.
    """
    with scratch_directory(parent, prefix=prefix) as root:
        yield _lay_out(root)


@contextlib.contextmanager
def scratch_directory(parent: Path, *, prefix: str = PREFIX) -> Iterator[Path]:
    """A name below `parent` at which a directory may be made; it is removed, whatever happens in the block.

    What killed runs left below `parent` under the same prefix is removed first. Raises OpsError when `parent` cannot be
    used.
    """
    _require_passable(parent)
    remove_dead(parent, prefix=prefix)
    name = f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
    lock = None
    try:  # from before the lock is made: a signal may raise between any two lines
        lock = _create_lock(parent / f"{name}{LOCK}")
        failpoint("scratch.locked")
        yield parent / name
    finally:
        failpoint("scratch.before_removal")
        remove_tree(parent / name)
        failpoint("scratch.after_removal")
        (parent / f"{name}{LOCK}").unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def remove_dead(parent: Path, *, prefix: str = PREFIX) -> int:
    """Remove scratch directories whose process is gone; return how many. Others' files are left alone."""
    removed = 0
    for path in sorted(parent.glob(f"{prefix}*{LOCK}")):
        lock = _take_lock(path)
        if lock is None:
            continue
        remove_tree(path.with_name(path.name.removesuffix(LOCK)))
        _drop_lock(path, lock)
        removed += 1
    return removed


def remove_tree(path: Path) -> None:
    """Remove a directory with whatever restored files lie in it: no link is followed, no mode is in the way."""
    if os.geteuid() != 0:
        for folder, directories, _ in os.walk(path):
            for name in directories:
                if not os.path.islink(os.path.join(folder, name)):
                    os.chmod(os.path.join(folder, name), 0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def _require_passable(parent: Path) -> None:
    """The sandbox's user is nobody: it has to be let through every directory above its own."""
    for directory in (parent, *parent.parents):
        if not directory.is_dir():
            raise OpsError("there is no such directory", where=str(directory), hint=f"mkdir -p {directory}")
        if os.geteuid() == 0 and not directory.stat().st_mode & stat.S_IXOTH:
            raise OpsError(
                f"restored things run as an unprivileged user, who may not pass through {directory}",
                where=str(parent),
                hint=f"choose a directory elsewhere, such as one below /srv, or: chmod o+x {directory}",
            )


def _lay_out(root: Path) -> ScratchPaths:
    paths = ScratchPaths(root)
    for path in (root, paths.data, paths.tree, paths.keys, paths.state, paths.lists, paths.logs, paths.run):
        path.mkdir(mode=0o700)
        os.chown(path, *sandbox_owner())
    failpoint("scratch.laid_out")
    return paths


def _create_lock(path: Path) -> int:
    try:
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_still(path, lock):  # else another run took it for a dead one's, between these two lines
                return lock
            os.close(lock)
    except OSError as error:
        raise OpsError(
            f"no scratch directory can be made here: {error.strerror}",
            where=str(path.parent),
            hint="drill.scratch_dir",
        ) from error


def _take_lock(path: Path) -> int | None:
    """Lock a dead run's file; None when it lives, or is not ours."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, lock):
                return lock
    except BlockingIOError:
        pass
    os.close(lock)
    return None


def _is_still(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(lock))
    except FileNotFoundError:
        return False


def _drop_lock(path: Path, lock: int) -> None:
    path.unlink(missing_ok=True)
    os.close(lock)
