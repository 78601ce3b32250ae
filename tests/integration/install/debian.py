"""A machine on a clean Debian: a root file system in namespaces of its own.

What it writes goes to memory, its processes are seen by it alone, and it has no network. All of it is gone when the
program that holds it ends, however that ends.
"""

import contextlib
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian import ENVIRONMENT, Base, as_root, own_namespaces

# A root file system of its own, not a chroot: in a chroot the kernel makes no user namespaces, which sandboxes are.
_MACHINE = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs {place}
cd {place}
mkdir upper work root
mount -t overlay -o lowerdir={lower},upperdir=upper,workdir=work overlay root
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
        environment = [f"{name}={value}" for name, value in (ENVIRONMENT | dict(more or {})).items()]
        return subprocess.run(
            [*as_root(), *inside, "/usr/bin/env", "-i", *environment, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@contextlib.contextmanager
def machine(base: Base, place: Path, binds: Mapping[Path, str]) -> Iterator[Machine]:
    """Run a machine on a base. `place` is an empty directory; `binds` are directories of ours it may read, and where.

    It ends when its standard input does: at the end of the block, or when this process dies.
    """
    lines = [
        f"mkdir -p root{at}\nmount --bind {shlex.quote(str(path))} root{at}\nmount -o remount,bind,ro root{at}"
        for path, at in binds.items()
    ]
    script = _MACHINE.format(lower=shlex.quote(base.lowerdir), place=shlex.quote(str(place)), binds="\n".join(lines))
    words = [*own_namespaces("--mount", "--pid", "--net", "--ipc", "--uts"), "sh", "-euc", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield Machine(_youngest(holder.pid))
        holder.stdin.close()
        assert holder.wait() == 0


def _youngest(pid: int) -> int:
    """The last of a chain of processes, each of which has one child: sudo, unshare, the machine's first."""
    for _ in range(3):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children or Path(f"/proc/{pid}/comm").read_text().strip() == "sh":
            break
        pid = int(children[0])
    return pid
