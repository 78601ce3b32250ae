"""Replaying binary logs: opsctl's relay log with the serial applier, against piping them to the client."""

import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backup.binlog.ship import ship
from backup.context import Host
from backup.run import run_backup
from benchmarks.data import filled_server
from benchmarks.drill_host import prepared
from benchmarks.harness import compare, show
from restore_drill.point import Latest
from restore_drill.restored import Restored
from restore_drill.scratch import ScratchServer
from restore_drill.steps import replay_logs, serving
from tests.support.mariadb import Server

TRANSACTIONS = 150_000
_WRITE = f"""
CREATE PROCEDURE bench.work() BEGIN
  DECLARE n INT DEFAULT 0;
  WHILE n < {TRANSACTIONS} DO
    INSERT INTO bench.calls (lead, note) VALUES (n, CONCAT('called, call back on ', n));
    SET n = n + 1;
  END WHILE;
END
"""


def write(server: Server) -> None:
    """Commit many small transactions, each its own."""
    server.sql(
        "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
        "CREATE TABLE bench.calls (id INT AUTO_INCREMENT PRIMARY KEY, lead INT, note VARCHAR(80)) ENGINE=InnoDB",
        _WRITE,
    )
    server.sql("SET binlog_format = ROW", "CALL bench.work()")


def by_client(server: Server, restored: Restored, scratch: ScratchServer) -> None:
    """Pipe the logs since the backup to the client, as manuals say."""
    position = restored.manifest.database
    names = [row[0] for row in server.sql("SHOW BINARY LOGS")]
    wanted = names[names.index(str(position.binlog_file)) : -1]
    files = server.fetch_raw(Path(restored.paths.root) / "raw", wanted[0])[: len(wanted)]
    scratch.query("CREATE USER bench@localhost IDENTIFIED BY 'bench'")
    scratch.query("GRANT ALL ON *.* TO bench@localhost")
    read = f"mariadb-binlog --no-defaults --start-position={position.binlog_position} {' '.join(map(str, files))}"
    apply = f"mariadb --no-defaults --user=bench --password=bench --socket={scratch.socket}"
    subprocess.run(["bash", "-o", "pipefail", "-c", f"{read} | {apply}"], check=True)


def by_opsctl(_: Server, restored: Restored, __: ScratchServer) -> None:
    """Replay everything that was shipped, verified before and proved afterwards."""
    replayed = replay_logs(restored, Latest()).need()
    assert replayed.transactions >= TRANSACTIONS


def timed(replay: Callable[[Server, Restored, ScratchServer], None], server: Server, host: Host) -> float:
    """The seconds of the replay alone, on a freshly prepared copy of the backup."""
    with prepared(host) as restored, serving(restored) as serves:
        scratch = serves.need()
        started = time.perf_counter()
        replay(server, restored, scratch)
        return time.perf_counter() - started


def main() -> None:
    """Time both on the same logs, each from its own copy of the same backup."""
    with filled_server(1 << 20, encrypted=False) as (server, host):
        run_backup(host)
        write(server)
        ship(host)
        contenders = {
            "opsctl, relay log and serial applier": partial(timed, by_opsctl, server, host),
            "mariadb-binlog | mariadb": partial(timed, by_client, server, host),
        }
        show(f"Replay of {TRANSACTIONS} small transactions", compare(contenders, warm_up=False), "aim at 3.5 or more")
