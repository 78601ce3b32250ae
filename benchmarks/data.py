"""Servers with an amount of data, and hosts that back them up."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from backup.context import Host
from tests.support.host import make_host
from tests.support.mariadb import Server, running_server

OPTIONS = ("--log-bin=bin", "--server-id=7", "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M")
ROW_BYTES = 1000
ROWS_A_STATEMENT = 50_000

# Hexadecimal digests: text that halves when compressed, as customers' tables do.
_FILL = (
    "INSERT INTO bench.filler SELECT seq, CONCAT(SHA2(seq, 512), SHA2(seq + 0.5, 512), SHA2(-seq, 512), "
    "SHA2(seq + 0.25, 512), REPEAT('customer notes ', 30)) FROM seq_{first}_to_{last}"
)


@contextlib.contextmanager
def filled_server(size: int, *, encrypted: bool) -> Iterator[tuple[Server, Host]]:
    """A running server with about `size` bytes in one table, and the host around it: no sites, only the database."""
    with (
        running_server(OPTIONS, encrypted=encrypted) as server,
        tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory,
    ):
        Path(directory).chmod(0o711)
        server.sql("CREATE DATABASE bench", "CREATE TABLE bench.filler (id INT PRIMARY KEY, text TEXT) ENGINE=InnoDB")
        rows = max(size // ROW_BYTES, 1)
        for first in range(1, rows + 1, ROWS_A_STATEMENT):
            last = min(first + ROWS_A_STATEMENT - 1, rows)
            server.sql("SET sql_log_bin = 0", "USE bench", _FILL.format(first=first, last=last))
        yield server, make_host(Path(directory), server)
