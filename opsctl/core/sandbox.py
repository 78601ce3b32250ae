"""Where restored things run: bubblewrap, an unprivileged user, no network but loopback, nothing of this machine in
sight but programs and libraries.

What was restored may come from a hijacked host, and a drill on the machine that made the backup would pass falsely if
it could see the live files. So the sandbox starts from nothing: programs, libraries and their data are bound read-only,
the restored trees are bound at their original paths, and only named directories are writable.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from opsctl.core.process import Command, Word

# Numeric, so that no account has to exist; next to systemd's DynamicUser range (61184-65519), outside of Debian's.
SANDBOX_UID = 65530

PROGRAMS = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec")
DATA = (
    "/usr/share/mysql",
    "/usr/share/mariadb",
    "/usr/share/php",
    "/usr/share/nginx",
    "/usr/share/zoneinfo",
    "/usr/share/misc",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/php",
)
_ALL_BUT_USERS = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
# Runs the program, and beside it somebody who waits for our end, which he reads from a descriptor, and ends it then.
# He is nobody's child, so that a program that waits for its children does not wait for him.
_WATCHED = '( (exec <&"$1" >/dev/null 2>&1; cat; kill -KILL -1) & ); shift; exec "$@"'
# bubblewrap that dies in the moment in which it has made its child, but not yet told it to begin, leaves it waiting for
# ever. So its parent, whose death it would share, is a shell that outlives us, and not this process.
_FOSTERED = ("sh", "-c", '"$@"; exit $?', "sh")
_LINKS = {
    "/bin": "usr/bin",
    "/sbin": "usr/sbin",
    "/lib": "usr/lib",
    "/lib64": "usr/lib64",
    "/dev/fd": "/proc/self/fd",
}
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Mount:
    """`source` of this machine, shown at `target` in the sandbox."""

    source: Path
    target: Path
    writable: bool = False


def same_path(path: Path, *, writable: bool = False) -> Mount:
    """Show a path where it lies."""
    return Mount(path, path, writable)


def unprivileged_words() -> tuple[Word, ...]:
    """The words that drop root for the sandbox's user, if we are root; bubblewrap's own come after them."""
    identity = (f"--reuid={SANDBOX_UID}", f"--regid={SANDBOX_UID}", "--clear-groups", "--no-new-privs")
    return (*(("setpriv", *identity, "--") if os.geteuid() == 0 else ()), *_FOSTERED)


def sandbox_owner() -> tuple[int, int]:
    """User and group id that sandboxed programs run with: their writable directories must belong to them."""
    return (SANDBOX_UID, SANDBOX_UID) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def give_to_sandbox(path: Path) -> None:
    """Make a directory, and all below it, the sandbox user's. Does nothing when we are not root."""
    if os.geteuid() != 0:
        return
    uid, gid = sandbox_owner()
    os.chown(path, uid, gid)
    for folder, directories, files in os.walk(path):
        for name in (*directories, *files):
            os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)


def sandboxed(
    cmd: Command,
    mounts: Sequence[Mount],
    *,
    links: Mapping[str, str] = MappingProxyType({}),
    capabilities: Sequence[str] = (),
) -> Command:
    """Return the command wrapped so that it sees nothing but the system's programs, `links` and `mounts`, in order.

    `links` are symbolic links to make: where, and to what, relative. `capabilities` hold inside the sandbox's own user
    and network namespace only. It dies with the process that starts it. A signal reaches only the wrapper, which takes
    the program down hard: end a server through its own protocol.
    """
    words = bwrap_words(mounts, links=links, capabilities=capabilities)
    return watched(cmd).prefixed((*unprivileged_words(), *words))


def sandboxed_as_root(cmd: Command, mounts: Sequence[Mount], capabilities: Sequence[str]) -> Command:
    """Return the command wrapped likewise, but as root with only these capabilities: for giving files their owners.

    There is no user namespace, in which those owners would not exist; the file system, processes and network that it
    sees are those of the sandbox. We have to be root.
    """
    words = bwrap_words(mounts, namespaces=_ALL_BUT_USERS, capabilities=capabilities)
    return watched(cmd).prefixed((*_FOSTERED, *words))


def watched(cmd: Command) -> Command:
    """Return the command so that, inside a sandbox, it ends with this process, however early this process dies.

    --die-with-parent is for the end of bubblewrap itself, when we kill it.
    """
    descriptor = _lifeline(os.getpid())
    return cmd.prefixed(("bash", "-c", _WATCHED, "bash", str(descriptor)), pass_fds=(descriptor,))


@functools.cache
def _lifeline(pid: int) -> int:
    """The reading end of a pipe whose writing end nobody but the process `pid`, which is ours, ever holds."""
    descriptor, _ = os.pipe()
    return descriptor


def bwrap_words(
    mounts: Sequence[Mount],
    *,
    namespaces: Sequence[str] = ("--unshare-all",),
    links: Mapping[str, str] = MappingProxyType({}),
    capabilities: Sequence[str] = (),
) -> tuple[Word, ...]:
    """Build the words of bubblewrap."""
    words: list[Word] = ["bwrap", *namespaces, "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    words += [word for capability in capabilities for word in ("--cap-add", capability)]
    words += [word for path in (*PROGRAMS, *DATA) for word in ("--ro-bind-try", path, path)]
    words += [word for link, target in {**_LINKS, **links}.items() for word in ("--symlink", target, link)]
    # Not --dev: for it bubblewrap nests a second user namespace, in which capabilities are worth nothing.
    words += [word for path in _DEVICES for word in ("--dev-bind", path, path)]
    words += ["--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/run", "--dir", "/var/log"]  # noqa: S108
    for mount in mounts:
        words += ["--bind" if mount.writable else "--ro-bind", str(mount.source), str(mount.target)]
    return (*words, "--")
