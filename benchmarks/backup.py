"""A full `backup run` against the stock pipeline it is made of, and what opsctl itself needs in memory."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from backup.context import Host
from backup.run import run_backup
from benchmarks.data import filled_server
from benchmarks.harness import compare, show
from tests.support.mariadb import Server

GIB = 1 << 30

_MEMORY = """
import pickle, resource, sys
from backup.run import run_backup
run_backup(pickle.load(sys.stdin.buffer), kind="full")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def stock(server: Server, host: Host) -> None:
    """Back up as a careful administrator's shell script would."""
    target = Path(server.directory)
    backup = (
        f"mariadb-backup --no-defaults --user=root --socket={server.socket} --backup --stream=mbstream --parallel=2"
    )
    script = f"{backup} --target-dir={target}/b 2>/dev/null | zstd -q -1 -T2 | age -r {host.backup.recipients[0]}"
    subprocess.run(["bash", "-o", "pipefail", "-c", f"{script} > {target}/out && sync {target}/out"], check=True)
    (target / "out").unlink()


def memory(host: Host) -> int:
    """The most memory (bytes) that the process of one `backup run` used itself."""
    import pickle

    done = subprocess.run([sys.executable, "-c", _MEMORY], input=pickle.dumps(host), stdout=subprocess.PIPE, check=True)
    return int(done.stdout) * 1024


def main() -> None:
    """Time 1 GiB in plain and in encrypted tables; take the memory at 0.1 and at 2 GiB."""
    for encrypted in (False, True):
        with filled_server(GIB, encrypted=encrypted) as (server, host):
            figures = compare(
                {
                    "mariadb-backup | zstd -1 -T2 | age": partial(stock, server, host),
                    "opsctl backup run --kind full": partial(run_backup, host, kind="full"),
                }
            )
            kind = "encrypted" if encrypted else "plain"
            show(f"Backup of 1 GiB in {kind} tables", figures, "aim at 1.10")
            phases = run_backup(host, kind="full").phases
            print("  phases: " + ", ".join(f"{phase.name} {phase.duration_s:.2f} s" for phase in phases))
    print("\nMemory of opsctl itself  (aim at 150 MB, the same at every size)")
    for tenths in (1, 20):
        with filled_server(GIB * tenths // 10, encrypted=False) as (_, host):
            print(f"  {tenths / 10:.1f} GiB: {memory(host) / 1e6:.0f} MB")
