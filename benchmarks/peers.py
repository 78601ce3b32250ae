"""A database's backup and restore, beside restic and borg fed by the same mariadb-backup, and the bare commands.

Each stores a first full backup into an empty repository, encrypted, on the same disk; a restore ends with a prepared
datadir. opsctl also reads back what it wrote, and proves on the way that nothing is missing; the others do neither.
"""

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backup.context import Host
from backup.run import run_backup
from benchmarks.backup import GIB
from benchmarks.data import filled_server
from benchmarks.drill_host import BUFFER_POOL_MB, prepared
from benchmarks.harness import compare, show
from benchmarks.peer_programs import Borg, Peer, Restic, require_peers, shell
from tests.support.host import identity_file
from tests.support.mariadb import Server


def producer(server: Server, directory: Path) -> str:
    """The words of mariadb-backup that all but opsctl are fed by."""
    words = ["mariadb-backup", "--no-defaults", "--user=root", f"--socket={server.socket}", "--backup"]
    return shlex.join([*words, "--stream=mbstream", "--parallel=2", f"--target-dir={directory}/tmp"])


def timed(run: Callable[[], object]) -> float:
    """The seconds that something takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def peer_backup(peer: Peer, words: str) -> float:
    """The seconds of a first backup; making the repository does not count."""
    peer.anew()
    return timed(lambda: peer.store_stream(words))


def bare_backup(words: str, recipient: str, archive: Path) -> float:
    """The seconds of the pipeline that a careful administrator would write."""
    return timed(lambda: shell(f"{words} | zstd -q -1 -T2 | age -r {recipient} > {archive} && sync {archive}"))


def opsctl_backup(host: Host) -> float:
    """The seconds of a full `backup run`, into an empty repository."""
    shutil.rmtree(host.store.where, ignore_errors=True)
    return timed(lambda: run_backup(host, kind="full"))


def peer_restore(open_stream: Callable[[str], None]) -> float:
    """The seconds until there is a prepared datadir."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        data = Path(name) / "data"
        data.mkdir()
        started = time.perf_counter()
        open_stream(f"mbstream -x -p2 -C {data}")
        words = [f"--defaults-file={data}/backup-my.cnf", "--prepare", f"--target-dir={data}"]
        memory = f"--use-memory={BUFFER_POOL_MB}M"
        subprocess.run(["mariadb-backup", *words, memory], check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started


def bare_open(archive: Path, identity: Path, consumer: str) -> None:
    """Open the archive of `bare_backup`."""
    shell(f"age -d -i {identity} {archive} | zstd -q -d -c | {consumer}")


def opsctl_restore(host: Host) -> float:
    """The seconds that opsctl takes for the same: trusting, opening, preparing."""
    started = time.perf_counter()
    with prepared(host):
        return time.perf_counter() - started


def main() -> None:
    """Time both on 1 GiB in plain tables, which compress."""
    require_peers()
    with filled_server(GIB, encrypted=False) as (server, host):
        directory = host.machine.state_dir.parent
        words, archive = producer(server, directory), directory / "bare.age"
        peers: list[Peer] = [Restic(directory), Borg(directory)]
        bare = partial(bare_backup, words, host.backup.recipients[0], archive)
        backups: dict[str, Callable[[], object]] = {
            "mariadb-backup | restic": partial(peer_backup, peers[0], words),
            "mariadb-backup | borg": partial(peer_backup, peers[1], words),
            "mariadb-backup | zstd -1 -T2 | age": bare,
            "opsctl backup run": partial(opsctl_backup, host),
        }
        show("Backup of 1 GiB", compare(backups, warm_up=False), "aim at 0.5 or less")
        restores: dict[str, Callable[[], object]] = {
            "age | zstd | mbstream, prepare": partial(
                peer_restore, partial(bare_open, archive, identity_file(directory))
            ),
            "restic, mbstream, prepare": partial(peer_restore, peers[0].open_stream),
            "borg, mbstream, prepare": partial(peer_restore, peers[1].open_stream),
            "opsctl": partial(opsctl_restore, host),
        }
        show("Restore of 1 GiB, prepared", compare(restores), "aim at 1.10 or less")
