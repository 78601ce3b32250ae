"""The scanner on recorded logs of real servers, and on faults that a server would not write."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode
from opsctl.core.mariadb.binlog import FileScan, scan, transactions
from opsctl.core.mariadb.binlog_events import BinlogError, CutEventError, EncryptedBinlogError
from opsctl.core.mariadb.binlog_groups import Incident, Xid
from opsctl.core.mariadb.gtid import BinlogState
from tests.support import binlogs
from tests.support.binlogs import BinlogBuilder

RECORDED = Path(__file__).parent / "data" / "binlogs"
GTIDS = [*(f"0-1-{seq}" for seq in range(1, 8)), "5-1-1", "5-77-2", "0-1-8", "0-1-9", "0-1-10"]
# As mariadb-binlog prints them.
STARTS = {
    "10.11": [325, 454, 660, 819, 1081, 1292, 1627, 1767, 2008, 2251, 2400, 2569],
    "11.8": [325, 454, 660, 819, 1081, 1292, 1631, 1776, 2017, 2260, 2409, 2582],
}


@pytest.mark.parametrize("version", STARTS)
def test_transactions_of_recorded_logs_are_those_that_mariadb_binlog_prints(version: str) -> None:
    found = list(transactions(RECORDED / version / "binlog.000001"))
    assert [str(transaction.gtid) for transaction in found] == GTIDS
    assert [transaction.start for transaction in found] == STARTS[version]
    assert [transaction.end for transaction in found[:-1]] == STARTS[version][1:]


@pytest.mark.parametrize("version", STARTS)
def test_a_transaction_says_whether_it_is_ddl_stands_alone_or_belongs_to_xa(version: str) -> None:
    found = list(transactions(RECORDED / version / "binlog.000001"))
    assert [number for number, it in enumerate(found) if it.is_ddl] == [0, 1, 2, 9, 10]
    assert [number for number, it in enumerate(found) if it.standalone] == [0, 1, 2, 6, 9, 10]
    assert {number: it.xa_prepared for number, it in enumerate(found) if it.xa_prepared} == {5: Xid(7, b"pay", b"b")}
    assert {number: it.xa_completed for number, it in enumerate(found) if it.xa_completed} == {6: Xid(7, b"pay", b"b")}


def test_a_scan_says_what_a_file_is_and_how_it_ends() -> None:
    first, second, third = (scan(RECORDED / "10.11" / f"binlog.00000{number}") for number in (1, 2, 3))
    assert first == FileScan(
        server_version="10.11.19-MariaDB-0+deb12u1-log",
        server_id=1,
        created=datetime(2026, 11, 20, 8, 6, 36, tzinfo=UTC),
        first_state=BinlogState(),
        last_state=BinlogState.parse("0-1-10,5-1-1,5-77-2"),
        end_position=2877,
        size=2921,
        transactions=12,
        rotate_to="binlog.000002",
        stopped=False,
        closed=datetime(2026, 11, 20, 8, 6, 36, tzinfo=UTC),
        in_use=False,
        ends_inside_transaction=False,
        first_time=datetime(2026, 11, 20, 8, 6, 36, tzinfo=UTC),
        last_time=datetime(2026, 11, 20, 8, 6, 36, tzinfo=UTC),
        incidents=(),
    )
    assert (second.first_state, second.rotate_to, second.stopped) == (first.last_state, None, True)
    assert second.closed == datetime(2026, 11, 20, 8, 6, 37, tzinfo=UTC)
    assert third.closed is None
    assert (third.first_state, third.rotate_to, third.stopped) == (second.last_state, None, False)


@pytest.mark.parametrize("version", STARTS)
def test_every_flipped_bit_is_an_error_that_names_the_file(version: str, tmp_path: Path) -> None:
    content = (RECORDED / version / "binlog.000002").read_bytes()
    in_use_flag = 4 + 17
    path = tmp_path / "flipped"
    for offset in range(len(content)):
        damaged = bytearray(content)
        damaged[offset] ^= 2 if offset == in_use_flag else 1 << offset % 8
        path.write_bytes(damaged)
        with pytest.raises(BinlogError) as caught:
            scan(path)
        assert caught.value.exit_code == ExitCode.INTEGRITY
        assert str(path) in str(caught.value)
        assert caught.value.offset <= offset


@pytest.mark.parametrize("version", STARTS)
def test_without_checksums_any_garbage_is_still_read_or_refused_in_words(version: str, tmp_path: Path) -> None:
    content = (RECORDED / version / "binlog.000001").read_bytes()
    path = tmp_path / "garbage"
    refused = 0
    for offset in range(len(content)):
        for flip in (1 << offset % 8, 0xFF):
            damaged = bytearray(content)
            damaged[offset] ^= flip
            path.write_bytes(damaged)
            try:
                scan(path, verify_crc=False)
            except BinlogError:
                refused += 1
    assert refused > len(content) // 4


@pytest.mark.parametrize("verify_crc", [True, False])
def test_a_file_cut_anywhere_never_passes_for_the_whole(verify_crc: bool, tmp_path: Path) -> None:
    whole = RECORDED / "10.11" / "binlog.000002"
    content = whole.read_bytes()
    complete = scan(whole)
    path = tmp_path / "cut"
    outcomes: set[type] = set()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            cut = scan(path, verify_crc=verify_crc)
        except BinlogError as error:
            outcomes.add(type(error))
            continue
        outcomes.add(FileScan)
        if cut.ends_inside_transaction:
            assert (cut.transactions, cut.end_position) < (complete.transactions, complete.end_position)
        else:
            assert cut.end_position <= length
            assert complete.stopped
            assert not cut.stopped
    assert outcomes == {BinlogError, CutEventError, FileScan}


def test_the_first_bytes_of_a_file_are_scanned_as_if_it_ended_there() -> None:
    path = RECORDED / "10.11" / "binlog.000001"
    before_xa = scan(path, end=1292)
    assert (before_xa.transactions, before_xa.end_position, before_xa.size) == (5, 1292, 1292)
    assert before_xa.last_state == BinlogState.parse("0-1-5")
    with pytest.raises(BinlogError, match="only 2921 bytes"):
        scan(path, end=2922)


def test_a_file_without_transactions_ends_after_its_head(tmp_path: Path) -> None:
    state = BinlogState.parse("0-1-5,0-2-6,3-1-1")
    builder = BinlogBuilder(state)
    head = len(builder.content)
    found = scan(builder.event(binlogs.CHECKPOINT, bytes(8)).stop().write(tmp_path / "empty"))
    assert (found.first_state, found.last_state, found.end_position) == (state, state, head)
    assert (found.first_time, found.last_time, found.stopped) == (None, None, True)


@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
def test_a_transaction_of_plain_tables_ends_with_the_words_and_not_with_a_statement_that_contains_them(
    ending: str, tmp_path: Path
) -> None:
    builder = BinlogBuilder(BinlogState()).begin("0-1-1").query(f"INSERT INTO words VALUES ('{ending}')")
    for text in (f"CALL {ending}", f"INSERT INTO {ending}", "ROLLBACK TO COMMIT", "x" * 5000 + ending):
        builder.query(text)
    assert scan(builder.write(tmp_path / "open")).ends_inside_transaction
    closed = scan(builder.query(ending, database="").write(tmp_path / "closed"))
    assert not closed.ends_inside_transaction
    assert closed.end_position == len(builder.content)


def test_events_larger_than_the_window_are_verified_to_their_last_byte(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState()).begin("0-1-1")
    builder.event(23, bytes(range(256)) * 20_000).event(binlogs.XID, bytes(8)).transaction("0-1-2")
    path = builder.write(tmp_path / "large")
    assert [str(found.gtid) for found in transactions(path)] == ["0-1-1", "0-1-2"]
    content = bytearray(path.read_bytes())
    content[4_000_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(BinlogError, match="checksum"):
        scan(path)
    assert scan(path, verify_crc=False).transactions == 2


def test_a_log_without_checksums_is_read(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState(), checksums=False)
    path = builder.transaction("0-1-1").begin("0-1-2").query("COMMIT").rotate("binlog.000002").write(tmp_path / "plain")
    found = scan(path)
    assert (found.transactions, found.rotate_to) == (2, "binlog.000002")


def test_an_open_file_is_said_to_be_in_use(tmp_path: Path) -> None:
    assert scan(BinlogBuilder(BinlogState(), flags=1).write(tmp_path / "open")).in_use


def test_an_incident_is_reported(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState()).transaction("0-1-1")
    offset = len(builder.content)
    builder.event(binlogs.INCIDENT, struct.pack("<HB", 1, 4) + b"lost")
    assert scan(builder.write(tmp_path / "incident")).incidents == (Incident(offset, 1, "lost"),)


def test_an_encrypted_log_is_refused_and_one_that_was_decrypted_is_not(tmp_path: Path) -> None:
    decrypted = BinlogBuilder().event(binlogs.START_ENCRYPTION, bytes(17), flags=0x80).gtid_list(BinlogState())
    assert scan(decrypted.transaction("0-1-1").write(tmp_path / "decrypted")).transactions == 1
    encrypted = BinlogBuilder().event(binlogs.START_ENCRYPTION, bytes(17)).write(tmp_path / "encrypted")
    with pytest.raises(EncryptedBinlogError) as caught:
        scan(encrypted)
    assert "--raw" in (caught.value.hint or "")


def test_xa_names_are_found_behind_a_commit_id(tmp_path: Path) -> None:
    name = struct.pack("<IBB", 9, 2, 1) + b"abc"
    builder = BinlogBuilder(BinlogState()).transaction("0-1-1", flags=0x42, extra=bytes(8) + name)
    [found] = transactions(builder.write(tmp_path / "xa"))
    assert (found.xa_prepared, found.xa_completed) == (Xid(9, b"ab", b"c"), None)


@pytest.mark.parametrize(
    "version", ["10.11.19-MariaDB-log", "5.3.0-MariaDB", "11.8.6-MariaDB-0+deb13u1 from Debian-log"]
)
def test_versions_that_say_their_checksum_algorithm_are_read(version: str, tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState(), version=version).transaction("0-1-1")
    assert scan(builder.write(tmp_path / "log")).transactions == 1


@pytest.mark.parametrize("version", ["5.2.9-MariaDB", "5.6.0-log", "unknown"])
def test_versions_that_do_not_are_refused(version: str, tmp_path: Path) -> None:
    with pytest.raises(BinlogError, match="cannot be read"):
        scan(BinlogBuilder(BinlogState(), version=version).write(tmp_path / "log"))


NOTHING = BinlogState()
OUT_OF_PLACE: dict[str, Callable[[BinlogBuilder], object]] = {
    "begins before the one at": lambda log: log.gtid_list(NOTHING).begin("0-1-1").transaction("0-1-2"),
    "belongs to no transaction": lambda log: log.gtid_list(NOTHING).event(binlogs.TABLE_MAP, bytes(8)),
    "ends no transaction": lambda log: log.gtid_list(NOTHING).event(binlogs.XID, bytes(8)),
    "before the file's GTID list": lambda log: log.transaction("0-1-1"),
    "before its GTID list": lambda log: log,
    "a second GTID list": lambda log: log.gtid_list(NOTHING).gtid_list(NOTHING),
    "inside the transaction": lambda log: log.gtid_list(NOTHING).begin("0-1-1").stop(),
    "closed the file": lambda log: log.gtid_list(NOTHING).rotate("binlog.000002").transaction("0-1-1"),
    "an event follows the one": lambda log: log.gtid_list(NOTHING).rotate("binlog.000002").stop(),
    "unknown type 200": lambda log: log.gtid_list(NOTHING).event(200),
    "unknown type 33": lambda log: log.gtid_list(NOTHING).event(33, bytes(25)),
    "GTID event cannot be 28 bytes": lambda log: log.gtid_list(NOTHING).event(binlogs.GTID, bytes(5)),
    "too short for its XA": lambda log: log.gtid_list(NOTHING).transaction(
        "0-1-1", flags=0x40, extra=struct.pack("<IBB", 1, 64, 0)
    ),
    "does not fit": lambda log: log.event(binlogs.GTID_LIST, struct.pack("<I", 5) + bytes(16)),
    "incident event cannot be 24 bytes": lambda log: log.gtid_list(NOTHING).event(binlogs.INCIDENT, b"x"),
    "where a short one belongs": lambda log: log.gtid_list(NOTHING).event(binlogs.ROTATE, bytes(1 << 20)),
}


@pytest.mark.parametrize("says", OUT_OF_PLACE)
def test_events_out_of_place_are_errors_although_their_checksums_are_right(says: str, tmp_path: Path) -> None:
    builder = BinlogBuilder()
    OUT_OF_PLACE[says](builder)
    with pytest.raises(BinlogError, match=says):
        scan(builder.write(tmp_path / "log"))


@pytest.mark.parametrize("version", STARTS)
def test_a_transaction_taken_out_of_the_middle_is_noticed(version: str, tmp_path: Path) -> None:
    content = (RECORDED / version / "binlog.000001").read_bytes()
    start, end = STARTS[version][3:5]
    shortened = tmp_path / "shortened"
    shortened.write_bytes(content[:start] + content[end:])
    with pytest.raises(BinlogError, match="was written to end at") as caught:
        scan(shortened)
    assert caught.value.offset == start


def test_an_event_that_always_knows_its_place_must_say_it(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState(), checksums=False)
    offset = len(builder.content)
    builder.transaction("0-1-1")
    builder.content[offset + 13 : offset + 17] = bytes(4)
    with pytest.raises(BinlogError, match="was written to end at 0") as caught:
        scan(builder.write(tmp_path / "log"))
    assert caught.value.offset == offset


def test_the_state_knows_which_server_wrote_last_although_it_wrote_before(tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState.parse("0-2-1"))
    path = builder.transaction("0-1-2").transaction("0-2-3").transaction("0-1-4").write(tmp_path / "log")
    assert scan(path).last_state == BinlogState.parse("0-2-3,0-1-4")


@pytest.mark.parametrize("length", [0, 18, 1 << 31])
def test_an_impossible_length_is_an_error_even_without_checksums(length: int, tmp_path: Path) -> None:
    builder = BinlogBuilder(BinlogState(), checksums=False)
    offset = len(builder.content)
    builder.transaction("0-1-1")
    builder.content[offset + 9 : offset + 13] = struct.pack("<I", length)
    with pytest.raises(BinlogError) as caught:
        scan(builder.write(tmp_path / "log"), verify_crc=False)
    assert (type(caught.value), caught.value.offset) == (BinlogError, offset)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "none")


def test_files_are_closed_also_when_they_cannot_be_read(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    bad = tmp_path / "bad"
    bad.write_bytes(b"not a log")
    before = descriptors()
    for _ in range(3):
        with pytest.raises(BinlogError):
            scan(bad)
        next(transactions(RECORDED / "10.11" / "binlog.000001"))
    assert descriptors() == before
