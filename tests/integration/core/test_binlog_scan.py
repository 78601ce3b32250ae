"""The scanner on the logs of a running server, against what the server and mariadb-binlog say about them."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.core.mariadb.binlog import FileScan, scan, transactions
from opsctl.core.mariadb.binlog_events import BinlogError, CutEventError, EncryptedBinlogError
from opsctl.core.mariadb.binlog_groups import Xid
from opsctl.core.mariadb.binlog_sequence import SequenceError, verify_sequence
from opsctl.core.mariadb.binlog_targets import end_of, find_gtid, find_stop, state_at
from opsctl.core.mariadb.gtid import BinlogState, Gtid
from tests.support.mariadb import Server, give_to_server, running_server

LOGGING = ("--log-bin=binlog", "--server-id=2", "--binlog-format=ROW", "--max-allowed-packet=64M")


@dataclass(frozen=True)
class Place:
    """Where the server says it stood at one moment."""

    file: str
    position: int
    state: BinlogState


@dataclass(frozen=True)
class History:
    """What a server wrote, and what it said meanwhile."""

    raw: list[Path]
    sizes: dict[str, int]
    state: BinlogState
    positions: dict[Place, str]
    on_disk: Path
    encrypted: bool
    lie: datetime


def place(server: Server) -> Place:
    [(file, position, *_)] = server.sql("SHOW MASTER STATUS")
    return Place(file, int(position), BinlogState.parse(server.value("SELECT @@gtid_binlog_state")))


def write_every_kind(server: Server, directory: Path) -> None:
    """Transactions of all kinds that a binary log knows, in three formats, domains and servers."""
    rows = directory / "rows.txt"
    rows.write_text("".join(f"{number}\tROLLBACK\n" for number in range(1000, 1200)))
    give_to_server(rows)
    server.sql(
        "CREATE DATABASE shop",
        "USE shop",
        "CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, note LONGTEXT) ENGINE=InnoDB",
        "CREATE TABLE visits (n INT) ENGINE=MyISAM",
        "CREATE TABLE pages (n INT) ENGINE=Aria TRANSACTIONAL=1",
        *("CREATE SEQUENCE numbers", "SELECT NEXTVAL(numbers)", "SELECT SETVAL(numbers, 100)"),
        "CREATE TRIGGER counted AFTER INSERT ON visits FOR EACH ROW INSERT INTO orders (note) VALUES ('by a trigger')",
    )
    for number, log_format in enumerate(("ROW", "MIXED", "STATEMENT")):
        server.sql(
            "USE shop",
            f"SET SESSION binlog_format={log_format}",
            "INSERT INTO orders (note) VALUES ('COMMIT'), ('ROLLBACK')",
            "INSERT INTO visits VALUES (1)",
            "INSERT INTO pages VALUES (1)",
            "SET @seen = 3",
            "INSERT INTO orders (note) VALUES (CONCAT(RAND(), @seen))",
            *("BEGIN", "INSERT INTO orders (note) VALUES ('undone')", "INSERT INTO visits VALUES (2)", "ROLLBACK"),
            *("BEGIN", "INSERT INTO orders (note) VALUES ('kept')", "SAVEPOINT here"),
            *("INSERT INTO visits VALUES (3)", "ROLLBACK TO here", "COMMIT"),
            *("CREATE TEMPORARY TABLE cart (n INT)", "INSERT INTO cart VALUES (1)"),
            *("INSERT INTO visits SELECT n FROM cart", "DROP TEMPORARY TABLE cart"),
            f"LOAD DATA INFILE '{rows}' INTO TABLE orders (@id, note) SET id = @id + {number * 1000}",
            f"CREATE TABLE copy_{number} AS SELECT * FROM orders",
            *(f"XA START 'pay-{number}', 'b', 7", "INSERT INTO orders (note) VALUES ('xa')"),
            *(f"XA END 'pay-{number}', 'b', 7", f"XA PREPARE 'pay-{number}', 'b', 7"),
            f"XA COMMIT 'pay-{number}', 'b', 7",
            *("XA START 'one'", "INSERT INTO orders (note) VALUES ('xa')", "XA END 'one'", "XA COMMIT 'one' ONE PHASE"),
            *("XA START 'no'", "INSERT INTO orders (note) VALUES ('xa')", "XA END 'no'", "XA PREPARE 'no'"),
            "XA ROLLBACK 'no'",
            "ANALYZE TABLE orders",
            f"CREATE USER guest_{number} IDENTIFIED BY 'secret'",
            f"SET SESSION gtid_domain_id={number}, SESSION server_id={9 - number}",
            "INSERT INTO orders (note) VALUES ('another domain and server')",
            "SET SESSION server_id=2",
            "INSERT INTO orders (note) VALUES ('the lower id is the later writer')",
        )
    server.sql("SET SESSION binlog_alter_two_phase=1", "ALTER TABLE shop.orders ADD COLUMN paid INT")
    server.sql("INSERT INTO shop.orders (note) SELECT REPEAT('x', 3000000) FROM shop.orders LIMIT 5")


def write_at_once(server: Server) -> None:
    """Four sessions that commit in groups."""

    def write(number: int) -> None:
        server.sql(
            f"SET SESSION gtid_domain_id={number % 2}",
            *[f"INSERT INTO shop.orders (note) VALUES ('{number} {count}')" for count in range(100)],
        )

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


def sizes_of(server: Server) -> dict[str, int]:
    return {name: int(size) for name, size, *_ in server.sql("SHOW BINARY LOGS")}


@pytest.fixture(scope="module", params=["plain", "encrypted", "compressed", "unchecked"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Rotations, a clean restart, a crash, and a session whose clock lies."""
    kind = {
        "compressed": ["--log-bin-compress", "--log-bin-compress-min-len=10"],
        "unchecked": ["--binlog-checksum=NONE"],
    }
    directory = tmp_path_factory.mktemp("history")
    with running_server((*LOGGING, *kind.get(request.param, [])), encrypted=request.param == "encrypted") as server:
        places = []
        write_every_kind(server, server.directory)
        places.append(place(server))
        server.sql("FLUSH BINARY LOGS")
        places.append(place(server))
        write_at_once(server)
        server.restart()
        lie = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
        server.sql(f"SET SESSION timestamp={int(lie.timestamp())}", "INSERT INTO shop.visits VALUES (4)")
        server.sql("INSERT INTO shop.visits VALUES (5)")
        places.append(place(server))
        server.kill()
        server.start()
        server.sql("INSERT INTO shop.visits VALUES (6)")
        places.append(place(server))
        server.sql("FLUSH BINARY LOGS")
        positions = {
            at: server.value(f"SELECT BINLOG_GTID_POS('{at.file}', {at.position})")  # what the server derives itself
            for at in places
        }
        raw, sizes = server.fetch_raw(directory / "raw"), sizes_of(server)
        while {path.name: path.stat().st_size for path in raw} != sizes:  # a rotation's checkpoint comes after it
            raw, sizes = server.fetch_raw(directory / "raw"), sizes_of(server)
        yield History(raw, sizes, place(server).state, positions, server.datadir, request.param == "encrypted", lie)


def printed(path: Path, *options: str) -> list[tuple[str, int]]:
    """The (GTID, start) of each transaction as mariadb-binlog prints them."""
    text = subprocess.run(
        ["mariadb-binlog", "--no-defaults", "--verify-binlog-checksum", "--base64-output=never", *options, path],
        check=True,
        capture_output=True,
        env={**os.environ, "TZ": "UTC"},
    ).stdout.decode("utf-8", "replace")
    return [(found[2], int(found[1])) for found in re.finditer(r"^# at (\d+)\n#\d.*\tGTID (\S+)", text, re.MULTILINE)]


def scans(paths: list[Path]) -> list[tuple[str, FileScan]]:
    return [(path.name, scan(path)) for path in paths]


def test_transactions_are_those_that_mariadb_binlog_prints(history: History) -> None:
    counts = []
    for path in history.raw:
        found = list(transactions(path))
        assert [(str(transaction.gtid), transaction.start) for transaction in found] == printed(path)
        counts.append(len(found))
    assert counts[0] > 60
    assert counts[1:] == [400, 2, 1, 0]


def test_the_files_of_a_server_that_rotated_restarted_and_crashed_are_a_sequence(history: History) -> None:
    found = scans(history.raw)
    verify_sequence(found)
    assert [(scan.rotate_to, scan.stopped) for _, scan in found] == [
        ("binlog.000002", False),
        (None, True),
        (None, False),
        ("binlog.000005", False),
        (None, False),
    ]
    assert {name: scan.size for name, scan in found} == history.sizes


def test_the_state_after_the_last_file_is_what_the_server_says(history: History) -> None:
    assert scan(history.raw[-1]).last_state == history.state
    assert end_of(history.raw).state == history.state
    assert len({gtid.domain for gtid in history.state}) == 3


def test_the_state_at_a_position_is_what_the_server_said_there(history: History) -> None:
    raw = {path.name: path for path in history.raw}
    for at, position in history.positions.items():
        state = state_at(raw[at.file], at.position)
        assert state == at.state
        assert set(str(state.position()).split(",")) == set(position.split(","))


def test_xa_transactions_carry_their_names(history: History) -> None:
    found = list(transactions(history.raw[0]))
    names = [Xid(7, b"pay-%d" % number, b"b") for number in range(3)]
    assert [it.xa_prepared for it in found if it.xa_prepared and it.xa_prepared.format_id == 7] == names
    assert [it.xa_completed for it in found if it.xa_completed and it.xa_completed.format_id == 7] == names
    after_prepare = next(it.gtid for it in found if it.xa_prepared == names[1])
    assert find_gtid(history.raw, after_prepare).prepared == (names[1],)


def test_a_stop_is_where_mariadb_binlog_stops(history: History) -> None:
    first = list(transactions(history.raw[0]))
    for transaction in (first[0], first[len(first) // 2], first[-2]):
        stop = find_gtid(history.raw, transaction.gtid)
        wanted = printed(stop.path, f"--stop-position={stop.position}")
        assert wanted[-1] == (str(transaction.gtid), transaction.start)


def test_a_session_with_a_lying_clock_makes_two_stops(history: History) -> None:
    found = find_stop(history.raw, history.lie)
    assert found.first_after.gtid is None
    assert found.last_not_after.path.name == "binlog.000003"
    assert found.last_not_after.time == history.lie
    assert found.between == sum(scan(path).transactions for path in history.raw[:2]) + 1


def test_the_open_file_in_the_servers_directory_is_in_use_and_if_encrypted_refused(history: History) -> None:
    path = history.on_disk / history.raw[-1].name
    if history.encrypted:
        with pytest.raises(EncryptedBinlogError):
            scan(path)
    else:
        assert scan(path).in_use


def test_a_missing_middle_file_breaks_the_sequence(history: History) -> None:
    with pytest.raises(SequenceError, match=r"binlog\.000002"):
        verify_sequence(scans([history.raw[0], *history.raw[2:]]))


def test_a_file_cut_between_two_transactions_breaks_the_sequence(history: History, tmp_path: Path) -> None:
    cut = tmp_path / history.raw[1].name
    last = list(transactions(history.raw[1]))[-1]
    cut.write_bytes(history.raw[1].read_bytes()[: last.start])
    assert not scan(cut).ends_inside_transaction
    with pytest.raises(SequenceError) as caught:
        verify_sequence(scans([history.raw[0], cut, *history.raw[2:]]))
    assert caught.value.name == history.raw[2].name


def test_a_file_cut_inside_a_transaction_or_an_event_is_noticed(history: History, tmp_path: Path) -> None:
    cut = tmp_path / history.raw[0].name
    content = history.raw[0].read_bytes()
    largest = max(transactions(history.raw[0]), key=lambda it: it.end - it.start)
    gtid_event = int.from_bytes(content[largest.start + 9 : largest.start + 13], "little")
    cut.write_bytes(content[: largest.start + gtid_event])
    assert scan(cut).ends_inside_transaction
    assert scan(cut).end_position == largest.start
    with pytest.raises(SequenceError, match="ends inside a transaction"):
        verify_sequence(scans([cut, *history.raw[1:]]))
    cut.write_bytes(content[: (largest.start + largest.end) // 2])
    with pytest.raises(CutEventError):
        scan(cut)


def test_reset_master_starts_another_sequence_even_with_the_same_names_and_gtids(tmp_path: Path) -> None:
    series = []
    with running_server(LOGGING) as server:
        for number in (1, 2):
            server.sql(
                *("RESET MASTER", f"SET SESSION timestamp={number}000000000"),
                *(f"CREATE DATABASE first_{number}", "FLUSH BINARY LOGS"),
                *(f"CREATE DATABASE second_{number}", "FLUSH BINARY LOGS"),
            )
            series.append(scans(server.fetch_raw(tmp_path / str(number))))
    for found in series:
        verify_sequence(found)
    before, after = series
    assert before[0][1].last_state == after[1][1].first_state
    with pytest.raises(SequenceError) as caught:
        verify_sequence([before[0], after[1]])
    assert caught.value.name == "binlog.000002"


def test_a_flipped_bit_in_a_row_is_found_by_its_checksum_only(tmp_path: Path) -> None:
    with running_server(LOGGING) as server:
        server.sql("CREATE TABLE mysql.notes (note TEXT)", "INSERT INTO mysql.notes VALUES ('the amount is 1000')")
        [path] = server.fetch_raw(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"1000")] ^= 1
    path.write_bytes(content)
    assert scan(path, verify_crc=False).transactions == 2
    with pytest.raises(BinlogError, match="checksum") as caught:
        scan(path)
    [_, insert] = transactions(path, verify_crc=False)
    assert insert.start < caught.value.offset < insert.end


def test_a_gtid_of_each_domain_is_found_among_the_others(history: History) -> None:
    for gtid in history.state.position():
        stop = find_gtid(history.raw, gtid)
        assert stop.gtid == gtid
        assert stop.state.covers(gtid)
        assert not stop.state.covers(Gtid(gtid.domain, gtid.server_id, gtid.seq + 1))
