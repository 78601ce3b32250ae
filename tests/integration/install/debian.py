"""A clean Debian in a directory: made once, kept in a cache, and shown to each test as a machine of its own.

A machine is a root file system in namespaces of its own: what it writes goes to memory, its processes are seen by it
alone, and it has no network. All of it is gone when the program that holds it ends, however that ends.
"""

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Part of the name of a cached base: another recipe makes another base.
RECIPE = "2"
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_BUILD_TIMEOUT_S = 1200
_ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
# What differs from an installation by hand saves time only: no manuals, no fsync, and no services started.
_LEAN = {
    "etc/apt/apt.conf.d/01lean": 'Acquire::Languages "none";\nAPT::Install-Recommends "0";\n',
    "etc/dpkg/dpkg.cfg.d/lean": "force-unsafe-io\npath-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
}
_SCAFFOLD = ("lower", "work", "root", "extra")
# dpkg syncs each file it unpacks; a volatile overlay knows that nothing here is worth waiting for.
_BUILD = """
mount --make-rprivate /
mount -t overlay -o lowerdir=lower,upperdir=tree,workdir=work,volatile overlay root
debootstrap --variant=minbase {release} root {mirror} >&2
cp -r extra/. root
cp /etc/resolv.conf root/etc/resolv.conf
mount -t proc proc root/proc
exec chroot root /usr/bin/env -i {environment} DEBIAN_FRONTEND=noninteractive sh -euc {install}
"""
_INSTALL = """
exec >&2
chmod 755 /usr/sbin/policy-rc.d
apt-get -qq update
apt-get -qq --yes install {packages} </dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d
"""
# A root file system of its own, not a chroot: in a chroot the kernel makes no user namespaces, which sandboxes are.
_MACHINE = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs {place}
cd {place}
mkdir upper work root
mount -t overlay -o lowerdir={tree},upperdir=upper,workdir=work overlay root
mount -t proc proc root/proc
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
{binds}
cd root
pivot_root . mnt
cd /
umount -l /mnt
exec 3<&0
cat <&3 &
echo ready
wait $!
"""


@dataclass(frozen=True)
class Machine:
    """A machine that runs; `pid` is its first process, as this machine counts."""

    pid: int

    def run(self, *words: str, more: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a program as the machine's root, with nothing of our environment; its exit code is the caller's."""
        inside = ("nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd")
        environment = [f"{name}={value}" for name, value in (_ENVIRONMENT | dict(more or {})).items()]
        return subprocess.run(
            [*_as_root(), *inside, "/usr/bin/env", "-i", *environment, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def base(release: str, packages: Sequence[str]) -> Path:
    """A root file system of `release` with `packages`, from the cache; the first time it is made."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsctl-tests" / "debian"
    digest = hashlib.sha256("\n".join([RECIPE, release, *packages]).encode()).hexdigest()[:12]
    home = cache / f"{release}-{digest}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            _build(home, release, packages)
            (home / "done").touch()
    return home / "tree"


def _build(home: Path, release: str, packages: Sequence[str]) -> None:
    """Make a base. One that was begun and not finished is thrown away; its mounts ended with its processes."""
    _remove(home, "tree", *_SCAFFOLD)
    for name in ("tree", *_SCAFFOLD):
        (home / name).mkdir()
    # How this machine reaches a mirror: proxies, and whether the clock can be trusted.
    acquire = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    for name, text in (_LEAN | {"etc/apt/apt.conf.d/00machine": acquire}).items():
        (home / "extra" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "extra" / name).write_text(text)
    script = _BUILD.format(
        release=release,
        mirror=_mirror(),
        environment=" ".join(f"{name}={value}" for name, value in _ENVIRONMENT.items()),
        install=shlex.quote(_INSTALL.format(packages=" ".join(packages))),
    )
    words = [*_own("--mount", "--pid"), "sh", "-euc", script]
    done = subprocess.run(
        words, cwd=home, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=_BUILD_TIMEOUT_S
    )
    assert done.returncode == 0, f"{release}: {done.stderr[-3000:]}"
    _remove(home, *_SCAFFOLD)


def _remove(home: Path, *names: str) -> None:
    subprocess.run([*_as_root(), "rm", "-rf", "--one-file-system", *(home / name for name in names)], check=True)


@contextlib.contextmanager
def machine(tree: Path, place: Path, binds: Mapping[Path, str]) -> Iterator[Machine]:
    """Run a machine on a base. `place` is an empty directory; `binds` are directories of ours it may read, and where.

    It ends when its standard input does: at the end of the block, or when this process dies.
    """
    lines = [
        f"mkdir -p root{at}\nmount --bind {shlex.quote(str(path))} root{at}\nmount -o remount,bind,ro root{at}"
        for path, at in binds.items()
    ]
    script = _MACHINE.format(tree=shlex.quote(str(tree)), place=shlex.quote(str(place)), binds="\n".join(lines))
    words = [*_own("--mount", "--pid", "--net", "--ipc", "--uts"), "sh", "-euc", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield Machine(_youngest(holder.pid))
        holder.stdin.close()
        assert holder.wait() == 0


def _own(*namespaces: str) -> list[str]:
    """The words for namespaces of one's own, whose processes die with the one that started them."""
    return [*_as_root(), "setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "--fork", "--kill-child"]


def _youngest(pid: int) -> int:
    """The last of a chain of processes, each of which has one child: sudo, unshare, the machine's first."""
    for _ in range(3):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children or Path(f"/proc/{pid}/comm").read_text().strip() == "sh":
            break
        pid = int(children[0])
    return pid


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else [shutil.which("sudo") or "sudo", "--preserve-env=PATH"]


def _mirror() -> str:
    """Where this machine gets its Debian from; debootstrap's own choice where that is not said."""
    lines = _SOURCES.read_text().splitlines() if _SOURCES.exists() else []
    return next((line.split()[1] for line in lines if line.startswith("URIs:")), "")
