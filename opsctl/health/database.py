"""The database: it answers a query, its replication threads run, and queues do not grow beyond their limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from opsctl.core.errors import AuthError, UnreachableError
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.mariadb.connect import connected, read_password, rows
from opsctl.core.runner import Runner
from opsctl.core.words import counted
from opsctl.health.names import check_id
from opsctl.health.settings import HealthSection, QueueSection
from opsctl.stack.settings import DatabaseSection

_SERVER_SHARE = 0.8
_LOG = "look at the server: systemctl status mariadb; journalctl -u mariadb -n 50"


@dataclass(frozen=True)
class Asking:
    """Where and as whom the database is asked, and how long it may take."""

    database: DatabaseSection
    settings: HealthSection

    def ask(self, statement: str) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
        """Names of the columns, and rows, of one statement. Raises OpsError."""
        user, file = self.settings.database_user, self.settings.database_password_file
        if user is None:
            user, file = self.database.ship_user, self.database.ship_password_file
        timeout_s = self.settings.timeout_s
        with connected(
            self.database.socket, user=user, password=read_password(file, user), timeout_s=timeout_s
        ) as connection:
            # The server itself ends what takes too long, before the driver would: so that looks do not pile up there.
            rows(connection, "SET SESSION max_statement_time = %s", timeout_s * _SERVER_SHARE)
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return tuple(column[0] for column in cursor.description or ()), tuple(cursor.fetchall())


def database_probes(database: DatabaseSection, settings: HealthSection, queues: Sequence[QueueSection]) -> list[Look]:
    """An answer; of a replica its threads; each queue."""
    asking = Asking(database, settings)
    probes = [
        Look(
            "database.answers",
            "the database answers",
            "it accepts a connection and answers a query",
            partial(_answers, asking),
            failing=(UnreachableError, AuthError),
        )
    ]
    if settings.replica:
        expected = f"both threads run, at most {settings.max_lag_s:g} s behind"
        probes.append(Look("database.replication", "replication runs", expected, partial(_replication, asking)))
    probes += [
        Look(
            check_id("queue", queue.name),
            f"the queue {queue.name} is worked off",
            f"at most {queue.limit:g}",
            partial(_queue, asking, queue),
        )
        for queue in queues
    ]
    return probes


def _answers(asking: Asking, host: Runner) -> Seen:
    _, found = asking.ask("SELECT 6 * 7")
    return good("it answered a query") if found == ((42,),) else bad(f"it says that 6 × 7 is {found}", _LOG)


def _replication(asking: Asking, host: Runner) -> Seen:
    names, found = asking.ask("SHOW ALL SLAVES STATUS")
    hint = "see why: SHOW ALL SLAVES STATUS"
    if not found:
        return bad("the server is no replica any more", hint)
    worst = 0.0
    for row in found:
        status = dict(zip(names, row, strict=True))
        for thread in ("IO", "SQL"):
            runs = status[f"Slave_{thread}_Running"]
            if runs != "Yes":
                said = status[f"Last_{thread}_Error"] or "without an error"
                return bad(f"the {thread} thread does not run ({runs}): {said}", hint)
        worst = max(worst, float(status["Seconds_Behind_Master"] or 0))
    if worst > asking.settings.max_lag_s:
        return bad(f"{worst:g} s behind", hint, lag_s=worst)
    return good(f"{counted(len(found), 'source')}, {worst:g} s behind", lag_s=worst)


def _queue(asking: Asking, queue: QueueSection, host: Runner) -> Seen:
    _, found = asking.ask(queue.sql)
    try:
        ((value,),) = found
        depth = float(value)
    except (TypeError, ValueError):
        return unknown("its query does not give one row with one number", f"try it: {queue.sql}")
    if depth > queue.limit:
        return bad(f"{depth:,g} wait", f"see who should work it off, and: {queue.sql}", depth=depth)
    return good(f"{depth:,g} wait", depth=depth)
