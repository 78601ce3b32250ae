from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from opsctl.core.mariadb.binlog import FileScan, scan
from opsctl.core.mariadb.binlog_groups import Incident
from opsctl.core.mariadb.binlog_sequence import SequenceError, successor, verify_sequence
from opsctl.core.mariadb.gtid import BinlogState

RECORDED = Path(__file__).parent / "data" / "binlogs" / "10.11"


@pytest.fixture
def scans() -> list[tuple[str, FileScan]]:
    """Three files of one server: the first rotates to the second, the third follows a restart."""
    return [(path.name, scan(path)) for path in sorted(RECORDED.iterdir())]


def broken(scans: list[tuple[str, FileScan]]) -> SequenceError:
    with pytest.raises(SequenceError) as caught:
        verify_sequence(scans)
    assert caught.value.exit_code == ExitCode.INTEGRITY
    assert caught.value.name in str(caught.value)
    return caught.value


def changed(scans: list[tuple[str, FileScan]], number: int, **fields: object) -> list[tuple[str, FileScan]]:
    name, found = scans[number]
    return [*scans[:number], (name, replace(found, **fields)), *scans[number + 1 :]]  # type: ignore[arg-type]


def test_what_a_server_wrote_is_a_sequence(scans: list[tuple[str, FileScan]]) -> None:
    verify_sequence(scans)
    verify_sequence(scans[1:])
    verify_sequence(scans[:1])
    verify_sequence([])


def test_a_missing_file_is_named_with_what_was_expected(scans: list[tuple[str, FileScan]]) -> None:
    error = broken([scans[0], scans[2]])
    assert (error.name, error.expected, error.found) == ("binlog.000003", "binlog.000002", "binlog.000003")


def test_files_in_the_wrong_sequence_or_twice_are_refused(scans: list[tuple[str, FileScan]]) -> None:
    assert broken([scans[1], scans[0]]).name == "binlog.000001"
    assert broken([scans[0], scans[0]]).expected == "binlog.000002"


def test_a_file_that_rotates_to_another_than_the_next_is_refused(scans: list[tuple[str, FileScan]]) -> None:
    error = broken(changed(scans, 0, rotate_to="binlog.000009"))
    assert (error.name, error.expected, error.found) == ("binlog.000001", "binlog.000002", "binlog.000009")


def test_a_file_that_lost_its_last_transactions_is_found_by_the_list_in_the_next(
    scans: list[tuple[str, FileScan]], tmp_path: Path
) -> None:
    cut = tmp_path / "binlog.000001"
    cut.write_bytes((RECORDED / "binlog.000001").read_bytes()[:2569])
    error = broken([("binlog.000001", scan(cut)), *scans[1:]])
    assert error.name == "binlog.000002"
    assert (error.expected, error.found) == ("0-1-9,5-1-1,5-77-2", "0-1-10,5-1-1,5-77-2")


def test_a_same_named_file_after_a_reset_is_refused(scans: list[tuple[str, FileScan]]) -> None:
    error = broken(changed(scans, 1, first_state=BinlogState()))
    assert (error.name, error.found) == ("binlog.000002", "")


def test_so_is_one_that_even_begins_with_the_same_gtids(scans: list[tuple[str, FileScan]]) -> None:
    error = broken(changed(scans, 1, created=scans[1][1].created + timedelta(seconds=1)))
    assert (error.name, error.found) == ("binlog.000002", "2026-11-20 08:06:37+00:00")


def test_after_a_restart_the_clock_may_have_been_set_back(scans: list[tuple[str, FileScan]]) -> None:
    verify_sequence(changed(scans, 2, created=scans[2][1].created - timedelta(days=1)))


def test_a_crashed_server_leaves_a_sequence_if_nothing_is_missing(scans: list[tuple[str, FileScan]]) -> None:
    verify_sequence(changed(scans, 1, stopped=False))


def test_only_the_last_file_may_be_open_or_end_inside_a_transaction(scans: list[tuple[str, FileScan]]) -> None:
    verify_sequence(changed(scans, 2, in_use=True, ends_inside_transaction=True))
    assert broken(changed(scans, 0, in_use=True)).found == "in use"
    assert broken(changed(scans, 1, ends_inside_transaction=True)).name == "binlog.000002"


@pytest.mark.parametrize("number", [0, 2])
def test_events_that_the_server_itself_lost_break_the_sequence(number: int, scans: list[tuple[str, FileScan]]) -> None:
    error = broken(changed(scans, number, incidents=(Incident(900, 1, "LOST_EVENTS"),)))
    assert "LOST_EVENTS" in error.found


def test_names_count_beyond_their_six_digits_and_may_hold_dots() -> None:
    assert successor("binlog.000009") == "binlog.000010"
    assert successor("db.example.org-bin.999999") == "db.example.org-bin.1000000"
    with pytest.raises(SequenceError, match="no name"):
        successor("binlog.index")
