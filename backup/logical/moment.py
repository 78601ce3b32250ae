"""The one moment that an export is of: commits are held back until two connections have their snapshot of it.

One is mariadb-dump's; the other counts and sums what is in the tables, so that a drill can judge what was exported
without believing the dump. `BACKUP STAGE BLOCK_COMMIT` is what mariadb-backup takes as well: it waits for no query.
https://mariadb.com/docs/server/server-usage/backup-and-restore/backup-stage
"""

import contextlib
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import pymysql

from backup.logical.inventory import SESSION
from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.connect import Connection, rows

LOCK_WAIT_S = 60
PATIENCE_S = 7 * 86400
BEGIN_TIMEOUT_S = 10.0
# A program starts in less than the first. The server looks for transactions anew only when nobody has asked for longer
# than a tenth of a second.
FIRST_LOOK_S = 0.03
POLL_S = 0.11
# The snapshots of this account's other connections: there is none but the dump's.
_BEGUN = (
    "SELECT COUNT(*) FROM information_schema.INNODB_TRX JOIN information_schema.PROCESSLIST "
    "ON ID = trx_mysql_thread_id WHERE ID > %s AND USER = SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"
)


@dataclass(frozen=True)
class Moment:
    """When it was (UTC), and where the binary log stood: None and "" without one."""

    at: datetime
    binlog_file: str | None
    binlog_position: int | None
    gtid_position: str
    gtid_state: str


@contextmanager
def held(holder: Connection, counter: Connection, *, binlog: bool) -> Iterator[Moment]:
    """Hold commits back while the block runs, with `counter`'s snapshot taken.

    `holder` does nothing else meanwhile; when this process dies, its connection does, and with it the hold.
    """
    for statement in SESSION:
        rows(counter, statement)
    for connection in (holder, counter):  # a large export takes longer than a server may have patience for
        rows(connection, f"SET SESSION wait_timeout = {PATIENCE_S}, SESSION max_statement_time = 0")
    rows(counter, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    rows(holder, f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}")
    rows(holder, "BACKUP STAGE START")
    try:
        rows(holder, "BACKUP STAGE BLOCK_COMMIT")
        rows(counter, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        failpoint("export.held")
        yield _moment(holder, binlog=binlog)
    finally:
        with contextlib.suppress(pymysql.MySQLError):  # a connection that is gone holds nothing any more
            rows(holder, "BACKUP STAGE END")


def wait_until_begun(holder: Connection, counter: Connection, dump: IO[bytes]) -> None:
    """Return once the dump has its snapshot, or has ended: then its exit status says the rest. Raises OpsError."""
    deadline = time.monotonic() + BEGIN_TIMEOUT_S
    time.sleep(FIRST_LOOK_S)
    ours = rows(counter, "SELECT CONNECTION_ID()")[0][0]
    while not rows(holder, _BEGUN, ours)[0][0]:
        if _ended(dump):
            return
        if time.monotonic() > deadline:
            raise OpsError(
                f"mariadb-dump did not begin within {BEGIN_TIMEOUT_S:g} s",
                hint="what does it wait for? As the database's root: SHOW PROCESSLIST",
            )
        time.sleep(POLL_S)


def _ended(stream: IO[bytes]) -> bool:
    """Whether nobody writes to the pipe any more."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _moment(connection: Connection, *, binlog: bool) -> Moment:
    if not binlog:
        return Moment(utcnow(), None, None, "", "")
    [(file, position, *_)] = rows(connection, "SHOW MASTER STATUS")
    [(gtid, state)] = rows(connection, "SELECT @@GLOBAL.gtid_binlog_pos, @@GLOBAL.gtid_binlog_state")
    return Moment(utcnow(), str(file), int(position), str(gtid), str(state))
