"""Counts and sums what is in the tables, beside the dump and in a snapshot of the same moment."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pymysql

from backup.logical import inventory
from backup.logical.document import ExportedTable
from backup.logical.dump import definitions_changed
from opsctl.core.mariadb.connect import Connection, rows

# Of another engine a snapshot holds nothing: what is counted now need not be what was exported before.
TRANSACTIONAL = "InnoDB"
_CHANGED = (1146, 1412)  # no such table; its definition is another than in the snapshot
Counted = Callable[[], tuple[ExportedTable, ...]]


@contextmanager
def counting(
    holder: Connection,
    counter: Connection,
    tables: Sequence[ExportedTable],
    columns: Mapping[tuple[str, str], list[str]],
) -> Iterator[Counted]:
    """Count with `counter`, whose snapshot is taken, while the block runs; what is yielded waits for the result.

    It raises OpsError for tables that were altered since. When the block raises, counting stops: `holder` ends it.
    """
    given_up = threading.Event()
    [(ours,)] = rows(counter, "SELECT CONNECTION_ID()")
    with ThreadPoolExecutor(max_workers=1) as beside:
        result = beside.submit(_count, counter, tables, columns, given_up)
        try:
            yield result.result
        except BaseException:
            given_up.set()
            with contextlib.suppress(pymysql.MySQLError):  # it has ended, or the server has
                rows(holder, f"KILL QUERY {ours}")
            raise


def _count(
    counter: Connection,
    tables: Sequence[ExportedTable],
    columns: Mapping[tuple[str, str], list[str]],
    given_up: threading.Event,
) -> tuple[ExportedTable, ...]:
    found = []
    for table in tables:
        if given_up.is_set():
            break
        if table.kind != "table" or table.engine != TRANSACTIONAL:
            found.append(table)
            continue
        try:
            found.append(inventory.counted(partial(ask, counter), table, columns[table.database, table.name]))
        except pymysql.MySQLError as error:
            if error.args and error.args[0] in _CHANGED:
                raise definitions_changed() from error
            raise
    return tuple(found)


def ask(connection: Connection, statement: str) -> list[tuple[object, ...]]:
    """Run one statement; its rows."""
    return list(rows(connection, statement))
