"""Where replays stop, on logs with the timestamps that real sessions produce: not monotonic, and sometimes lying."""

import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.core.mariadb.binlog import transactions
from opsctl.core.mariadb.binlog_groups import Xid
from opsctl.core.mariadb.binlog_targets import TargetError, end_of, find_gtid, find_stop, state_at
from opsctl.core.mariadb.gtid import BinlogState, Gtid
from tests.support import binlogs
from tests.support.binlogs import BinlogBuilder

NOON = 1_700_000_000


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOON + seconds, UTC)


def logs(directory: Path, *files: list[int]) -> list[Path]:
    """Files of transactions 0-1-1, 0-1-2, …, at the given seconds after noon."""
    paths, seq = [], 0
    for number, seconds in enumerate(files, start=1):
        builder = BinlogBuilder(BinlogState.parse(f"0-1-{seq}" if seq else ""))
        for second in seconds:
            seq += 1
            builder.transaction(f"0-1-{seq}", at=NOON + second)
        if number < len(files):
            builder.rotate(f"binlog.{number + 1:06d}")
        paths.append(builder.write(directory / f"binlog.{number:06d}"))
    return paths


def starts(path: Path) -> list[int]:
    return [transaction.start for transaction in transactions(path)]


def test_both_readings_of_a_time_are_one_where_timestamps_rise(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10, 20, 20, 30])
    found = find_stop(paths, moment(20))
    assert (found.differ, found.between) == (False, 0)
    assert found.first_after == found.last_not_after
    stop = found.first_after
    assert (stop.path, stop.position) == (paths[0], starts(paths[0])[4])
    assert (stop.gtid, stop.time, str(stop.state)) == (Gtid(0, 1, 4), moment(20), "0-1-4")
    assert not stop.nothing_follows


def test_one_lying_timestamp_is_told_and_gives_two_stops(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10, 99_999, 20, 30, 40])
    found = find_stop(paths, moment(30))
    assert (found.differ, found.between) == (True, 3)
    assert str(found.first_after.state) == "0-1-2"
    assert str(found.last_not_after.state) == "0-1-5"
    assert found.last_not_after.position == starts(paths[0])[5]


def test_a_stop_may_lie_in_a_later_file_than_the_transaction_before_it(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10], [], [20, 30])
    stop = find_stop(paths, moment(15)).first_after
    assert (stop.path, stop.position, stop.gtid) == (paths[2], starts(paths[2])[0], Gtid(0, 1, 2))


def test_the_second_of_the_moment_is_not_after_it(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10, 11])
    assert str(find_stop(paths, moment(10.999)).first_after.state) == "0-1-2"
    assert str(find_stop(paths, moment(9.999)).first_after.state) == "0-1-1"


def test_a_moment_is_a_point_in_time_whatever_its_zone(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10, 20])
    kolkata = moment(10).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert find_stop(paths, kolkata) == find_stop(paths, moment(10))
    with pytest.raises(ValueError, match="time zone"):
        find_stop(paths, moment(10).replace(tzinfo=None))


def test_a_moment_before_everything_stops_before_the_first_transaction(tmp_path: Path) -> None:
    paths = logs(tmp_path, [10, 20])
    stop = find_stop(paths, moment(0)).first_after
    assert (stop.position, stop.gtid, stop.time, stop.state) == (starts(paths[0])[0], None, None, BinlogState())


def test_a_moment_after_everything_stops_at_the_end(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10], [20])
    found = find_stop(paths, moment(3600))
    assert found.first_after == found.last_not_after == end_of(paths)
    assert not found.differ


def test_what_lies_before_the_start_counts_for_the_state_and_not_for_the_search(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 99_999, 10, 20])
    third = starts(paths[0])[2]
    found = find_stop(paths, moment(10), start=third)
    assert (found.differ, str(found.first_after.state)) == (False, "0-1-3")
    assert find_stop(paths, moment(5), start=third).first_after.position == third
    with pytest.raises(TargetError, match="no transaction 0-1-2"):
        find_gtid(paths, Gtid(0, 1, 2), start=third)


@given(
    st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=3).filter(any),
    st.integers(-1, 7),
    st.integers(0, 4),
)
def test_stops_for_a_time_are_what_their_definition_says(files: list[list[int]], second: int, skipped: int) -> None:
    with TemporaryDirectory() as directory:
        paths = logs(Path(directory), *files)
        every = [(path, transaction) for path in paths for transaction in transactions(path)]
        first_file = starts(paths[0])
        skipped = min(skipped, len(first_file) - 1) if first_file else 0
        found = find_stop(paths, moment(second), start=first_file[skipped] if first_file else 0)
        later = [number for number, (_, it) in enumerate(every) if number >= skipped and it.timestamp > moment(second)]
        earlier = [number for number, (_, it) in enumerate(every) if number >= skipped and number not in later]
        first = min(later, default=len(every))
        last = max(earlier, default=skipped - 1) + 1 if later else len(every)
        for stop, wanted in ((found.first_after, first), (found.last_not_after, max(first, last))):
            assert stop.state == BinlogState.of([it.gtid for _, it in every[:wanted]])
            path, position = (
                (every[wanted][0], every[wanted][1].start) if wanted < len(every) else (every[-1][0], every[-1][1].end)
            )
            assert (stop.path, stop.position) == (path, position)
        assert found.between == max(first, last) - first


def test_a_gtid_is_stopped_after_right_before_the_next(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10], [20])
    assert find_gtid(paths, Gtid(0, 1, 1)).position == starts(paths[0])[1]
    second = find_gtid(paths, Gtid(0, 1, 2))
    assert (second.path, second.position, second.gtid) == (paths[1], starts(paths[1])[0], Gtid(0, 1, 2))
    assert find_gtid(paths, Gtid(0, 1, 3)) == end_of(paths)


def test_a_gtid_of_another_server_or_beyond_the_end_is_not_found_and_the_end_is_said(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0, 10], [20])
    for gtid in (Gtid(0, 2, 1), Gtid(1, 1, 1), Gtid(0, 1, 4)):
        with pytest.raises(TargetError) as caught:
            find_gtid(paths, gtid)
        assert caught.value.hint == "they end at 0-1-3"


def test_the_end_is_after_the_last_transaction_and_says_whether_anything_follows(tmp_path: Path) -> None:
    paths = logs(tmp_path, [0], [10])
    end = end_of(paths)
    assert (end.path, end.position, end.nothing_follows) == (paths[1], paths[1].stat().st_size, True)
    before_rotate = end_of(paths[:1])
    assert (before_rotate.position, before_rotate.nothing_follows) == (next(transactions(paths[0])).end, False)
    with_empty_last = logs(tmp_path, [0], [])
    assert (end_of(with_empty_last).path, end_of(with_empty_last).nothing_follows) == (with_empty_last[0], False)


def test_an_empty_last_file_as_long_as_the_one_before_it_still_follows(tmp_path: Path) -> None:
    full = BinlogBuilder(BinlogState()).transaction("0-1-1")
    empty = BinlogBuilder(BinlogState.parse("0-1-1"))
    empty.event(28, bytes(len(full.content) - len(empty.content) - 23), flags=0x80)
    paths = [full.write(tmp_path / "binlog.000001"), empty.write(tmp_path / "binlog.000002")]
    assert paths[0].stat().st_size == paths[1].stat().st_size
    assert (end_of(paths).path, end_of(paths).nothing_follows) == (paths[0], False)


def test_the_state_at_a_stop_knows_which_server_wrote_last(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState()).transaction("0-1-1").transaction("0-2-2").transaction("0-1-3")
    assert end_of([builder.write(tmp_path / "log")]).state == BinlogState.parse("0-2-2,0-1-3")


def test_the_end_of_an_open_transaction_is_not_the_end(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState()).transaction("0-1-1")
    complete = len(builder.content)
    end = end_of([builder.begin("0-1-2").query("INSERT").write(tmp_path / "binlog.000001")])
    assert (end.position, str(end.state), end.nothing_follows) == (complete, "0-1-1", False)


def test_a_log_without_transactions_ends_after_its_head(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState.parse("0-1-9"))
    end = end_of([builder.write(tmp_path / "binlog.000001")])
    assert (end.position, end.gtid, str(end.state)) == (len(builder.content), None, "0-1-9")


def test_xa_transactions_left_prepared_at_a_stop_are_named(tmp_path: Path) -> None:
    name = struct.pack("<IBB", 1, 3, 1) + b"payb"
    builder = BinlogBuilder(BinlogState()).begin("0-1-1", flags=0x40, extra=name).event(38, bytes(10))
    builder.transaction("0-1-2")
    builder.begin("0-1-3", flags=0x81, extra=name).query("XA COMMIT 'pay','b'").transaction("0-1-4")
    paths = [builder.write(tmp_path / "binlog.000001")]
    assert find_gtid(paths, Gtid(0, 1, 2)).prepared == (Xid(1, b"pay", b"b"),)
    assert find_gtid(paths, Gtid(0, 1, 3)).prepared == ()


def test_the_state_at_a_position_holds_what_every_server_wrote(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState.parse("0-1-5,0-2-6,7-3-1")).transaction("0-1-7")
    position = len(builder.content)
    path = builder.transaction("0-2-8").write(tmp_path / "binlog.000001")
    assert state_at(path, position) == BinlogState.parse("0-2-6,0-1-7,7-3-1")
    assert str(state_at(path, position).position()) == "0-1-7,7-3-1"


def test_a_position_inside_an_event_or_a_transaction_is_refused(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState()).begin("0-1-1")
    inside = len(builder.content)
    path = builder.query("INSERT").event(binlogs.XID, bytes(8)).write(tmp_path / "binlog.000001")
    with pytest.raises(TargetError, match="inside a transaction"):
        state_at(path, inside)
    with pytest.raises(TargetError, match="inside an event"):
        state_at(path, inside + 1)


def test_without_files_there_is_no_target() -> None:
    with pytest.raises(TargetError, match="no binary logs"):
        end_of([])
