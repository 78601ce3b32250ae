"""Reads the log in long strings of bytes: one value for some thousand rows, instead of some thousand rows."""

from collections.abc import Iterator

import pymysql
from pymysql.constants import ER

from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.connect import Connection, rows
from vault.verify.block import FIXED

ROWS = 4096
PACKET = 1 << 30
# One row, and the bytes that opsctl/core/chain.py hashes for it, in the order of vault/verify/block.py.
_ROW = (
    "CONCAT(UNHEX(LPAD(HEX(seq), 16, '0')), prev_hash, UNHEX(LPAD(HEX(LENGTH(payload)), 16, '0')), payload, row_hash)"
)
_READ = (
    "SELECT COUNT(*), SUM(LENGTH(payload)), GROUP_CONCAT({row} {order} SEPARATOR '')"
    " FROM {table} FORCE INDEX (PRIMARY) WHERE {where} seq BETWEEN %s AND %s"
)
_GONE = (ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR)


def prepare(connection: Connection) -> None:
    """Let one value be as long as the server allows."""
    rows(connection, f"SET SESSION group_concat_max_len = {PACKET}")


def read_range(
    connection: Connection, first: int, last: int, *, archive: bytes | None = None, sort: bool = True
) -> Iterator[bytes]:
    """Read rows `first` to `last`, some thousand at a time. Raises IntegrityError when there is no such table.

    `archive`: the id of a log that has ended, in the table of those. Without `sort` the rows come as the primary key's
    tree has them: in the same order, a quarter faster, but no server promises it.
    """
    table = "audit" if archive is None else "audit_archive"
    where = "" if archive is None else f"log_id = x'{archive.hex()}' AND"
    statement = _READ.format(row=_ROW, table=table, where=where, order="ORDER BY seq" if sort else "")
    step = ROWS
    while first <= last:
        end = min(first + step - 1, last)
        count, size, data = _read(connection, statement, first, end)
        whole = count * FIXED + int(size or 0)
        if count and (data is None or len(data) != whole):
            # A value longer than max_allowed_packet comes back cut: ask for fewer rows.
            if step == 1:
                raise IntegrityError(f"row {first} of the audit log cannot be read: it is longer than the server sends")
            step = max(1, step // 4)
            continue
        if data:
            yield bytes(data)
        first = end + 1


def _read(connection: Connection, statement: str, first: int, end: int) -> tuple[int, int | None, bytes | None]:
    try:
        ((count, size, data),) = rows(connection, statement, first, end)
    except pymysql.err.MySQLError as error:
        if error.args and error.args[0] in _GONE:
            raise IntegrityError(f"the audit log is not what it was: {error.args[1]}") from error
        raise
    return int(count), size, data


def bounds(connection: Connection) -> tuple[int, int]:
    """The lowest and the highest seq; (1, 0) for an empty log. Raises IntegrityError when there is no such table."""
    try:
        ((low, high),) = rows(connection, "SELECT MIN(seq), MAX(seq) FROM audit")
    except pymysql.err.MySQLError as error:
        if error.args and error.args[0] in _GONE:
            raise IntegrityError(f"the audit log is not what it was: {error.args[1]}") from error
        raise
    return (1, 0) if high is None else (int(low), int(high))
