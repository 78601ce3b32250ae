"""Whether binary log files follow each other without a gap.

No tool of MariaDB says so: a missing file, or one cut between two transactions, is replayed without an error.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.binlog import FileScan

_NAME = re.compile(r"(?P<base>.+)\.(?P<number>[0-9]{6,})", re.DOTALL)


class SequenceError(IntegrityError):
    """The sequence is broken at the file `name`: there `expected` was due and `found` is there."""

    def __init__(self, message: str, *, name: str, expected: str, found: str) -> None:
        super().__init__(f"{message}: {expected or 'nothing'} was expected, {found or 'nothing'} found", where=name)
        self.name = name
        self.expected = expected
        self.found = found


def successor(name: str) -> str:
    """The name that the server gives to the file after `name`: binlog.000009 is followed by binlog.000010.

    Raises SequenceError if `name` is no name of a binary log.
    """
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise SequenceError("this is no name of a binary log", name=name, expected="name.000001", found=name)
    return f"{parts['base']}.{int(parts['number']) + 1:06d}"


def verify_sequence(scans: Sequence[tuple[str, FileScan]]) -> None:
    """Check that (name, scan) pairs are all that a server wrote from the first file to the last.

    Names count up; each file hands over to the next, which begins in that very second; the GTID list at a file's head
    is the state after the file before it; only the last may be open or end inside a transaction; no server reports
    lost events. Raises SequenceError.
    """
    for name, scan in scans:
        if scan.incidents:
            lost = scan.incidents[0]
            raise SequenceError(
                "the server could not write all events",
                name=name,
                expected="no incident",
                found=f"incident {lost.number} at offset {lost.offset}: {lost.message}",
            )
    for (name, scan), (next_name, next_scan) in pairwise(scans):
        _verify_end(name, scan)
        _verify_handover(name, scan, next_name, next_scan)


def _verify_end(name: str, scan: FileScan) -> None:
    if scan.ends_inside_transaction:
        raise SequenceError(
            "a file before the last ends inside a transaction",
            name=name,
            expected="a complete transaction",
            found=f"one begun after offset {scan.end_position}",
        )
    if scan.in_use:
        raise SequenceError("a file before the last is still open", name=name, expected="closed", found="in use")


def _verify_handover(name: str, scan: FileScan, next_name: str, next_scan: FileScan) -> None:
    expected = successor(name)
    if next_name != expected:
        raise SequenceError("the names do not count up", name=next_name, expected=expected, found=next_name)
    if scan.rotate_to not in (None, next_name):
        raise SequenceError(
            "the file hands over to another than the next", name=name, expected=next_name, found=scan.rotate_to or ""
        )
    if scan.rotate_to is not None and next_scan.created != scan.closed:
        # One statement writes both with one time, whatever its clock says. After RESET MASTER a file of the same name
        # may begin with the very same GTIDs; this tells it apart.
        raise SequenceError(
            f"the file was not begun when {name} was closed",
            name=next_name,
            expected=str(scan.closed),
            found=str(next_scan.created),
        )
    if next_scan.first_state != scan.last_state:
        raise SequenceError(
            f"the file does not continue {name}",
            name=next_name,
            expected=str(scan.last_state),
            found=str(next_scan.first_state),
        )
