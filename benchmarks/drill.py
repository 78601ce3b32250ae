"""What a drill does before its checks, against the stock commands typed by hand: open, prepare, start."""

import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from backup.context import Host
from backup.run import run_backup
from benchmarks.backup import GIB
from benchmarks.data import filled_server
from benchmarks.drill_host import BUFFER_POOL_MB, drill_host, prepared
from benchmarks.harness import compare, show
from restore_drill.steps import serving
from tests.support.host import identity_file
from tests.support.mariadb import running_server

_OPEN = "age -d -i {identity} {archive} | zstd -q -d -c | mbstream -x -p2 -C {target}"


def stock(host: Host) -> float:
    """Open, prepare and start with the programs themselves; the seconds until the server answers."""
    catalog = drill_host(host).catalog
    archive = Path(host.store.where) / catalog.newest().artefact("db").key
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        data = Path(directory) / "data"
        data.mkdir()
        started = time.perf_counter()
        identity = identity_file(host.machine.state_dir.parent)
        script = _OPEN.format(identity=identity, archive=archive, target=data)
        subprocess.run(["bash", "-o", "pipefail", "-c", script], check=True)
        words = [f"--defaults-file={data}/backup-my.cnf", "--prepare", f"--target-dir={data}"]
        subprocess.run(
            ["mariadb-backup", *words, f"--use-memory={BUFFER_POOL_MB}M"], check=True, stderr=subprocess.DEVNULL
        )
        with running_server(
            [f"--innodb-buffer-pool-size={BUFFER_POOL_MB}M", "--innodb-log-file-size=256M"], datadir=data
        ):
            return time.perf_counter() - started


def opsctl(host: Host) -> float:
    """The same steps of a drill; the seconds of the steps, without fetching its scratch directory away again."""
    started = time.perf_counter()
    with prepared(host) as restored, serving(restored) as serves:
        serves.need()
        return time.perf_counter() - started


def main() -> None:
    """Time both on 1 GiB in plain tables."""
    with filled_server(GIB, encrypted=False) as (_, host):
        run_backup(host)
        contenders = {"age | zstd | mbstream, prepare, start": partial(stock, host), "opsctl": partial(opsctl, host)}
        show("Restoring 1 GiB until the server answers", compare(contenders), "aim at 1.15")
