"""The GTID state at a position of a server's binary log.

The GTID that mariadb-backup notes leaves out replication domains last written by another server, so the state is
derived from the log itself: the list at the file's head, and what follows up to the position.
"""

from backup.binlog.fetch import fetch_raw
from backup.binlog.space import private_space
from backup.context import Host
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.binlog import scan
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.mariadb.gtid import BinlogState


def gtid_state(host: Host, connection: Connection, file: str, position: int) -> BinlogState:
    """The binlog state when `file` was `position` bytes long.

    Raises IntegrityError when the server has no such file, or one that is shorter; what `fetch_raw` and `scan` raise.
    """
    sizes = {str(row[0]): int(row[1]) for row in rows(connection, "SHOW BINARY LOGS")}
    if sizes.get(file, -1) < position:
        raise IntegrityError(
            f"the backup ends at byte {position} of {file}, which the server does not have",
            where=str(host.database.socket),
            hint="was the binary log reset or purged during the backup? Take another: opsctl backup run",
        )
    with private_space(host.machine, sizes[file]) as space:
        [path] = fetch_raw(host.database, [file], space, timeout_s=host.binlog.timeout_s)
        return scan(path, end=position).last_state
