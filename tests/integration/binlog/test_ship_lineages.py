"""Shipping from servers whose logs no longer continue what was shipped: said once, loudly, and then shipped."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.binlog.heartbeat import HeartbeatMemory
from backup.binlog.session import session
from backup.binlog.ship import LineageBrokenError, ship
from backup.binlog.shipper import Shipper
from backup.context import Host
from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode
from opsctl.core.mariadb.binlog_sequence import verify_sequence
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.result import Outcome
from tests.integration.binlog.servers import purge_to
from tests.integration.binlog.shipping import (
    LOGGING,
    insert,
    last_record,
    lineage,
    opened,
    shipping_host,
)
from tests.support.binlogs import INCIDENT, BinlogBuilder
from tests.support.mariadb import Server, running_server


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(LOGGING) as server:
        yield server


def check_broken(host: Host, because: str, *, first: str, segments: int) -> LineageBrokenError:
    """Shipping says that there is a gap and begins a lineage with what there is; the next run is content with it."""
    before = len(host.catalog.lineages())
    with pytest.raises(LineageBrokenError, match=because) as caught:
        ship(host)
    assert caught.value.exit_code is ExitCode.INTEGRITY
    assert "opsctl backup run" in (caught.value.hint or "")
    record = last_record(host)
    assert record.outcome is Outcome.FAILED
    assert record.body == caught.value.shipment.body
    assert len(host.catalog.lineages()) == before + 1
    found = lineage(host)
    assert (found[0].name, len(found)) == (first, segments)
    assert all(re.search(because, segment.lineage_reason) for segment in found)
    assert (found[0].number, found[0].previous, found[0].heartbeat_before) == (1, "0" * 64, None)
    assert found[-1].heartbeat == record.body.heartbeat
    ship(host)
    assert len(lineage(host)) == segments + 1
    assert len(host.catalog.lineages()) == before + 1
    assert last_record(host).outcome is Outcome.PASSED
    return caught.value


def check_replayable(host: Host, tmp_path: Path) -> None:
    """Every lineage is a sequence that a replay accepts."""
    for number in range(len(host.catalog.lineages())):
        directory = tmp_path / f"opened-{number}"
        directory.mkdir()
        verify_sequence(opened(host, directory, lineage(host, number)))


def test_reset_master_begins_another_lineage(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    for key in range(3):
        insert(server, key)
        ship(host)
    server.sql("RESET MASTER")
    insert(server, 10)
    check_broken(host, "began its logs anew: bin.000003 was shipped", first="bin.000001", segments=1)
    check_replayable(host, tmp_path)


def test_reset_master_is_noticed_when_the_names_have_grown_past_the_last_shipped_one(
    server: Server, tmp_path: Path
) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    ship(host)
    server.sql("RESET MASTER")
    for key in range(4):
        insert(server, key)
        server.sql("FLUSH BINARY LOGS")
    check_broken(host, r"bin\.000002 was shipped with \d+ bytes and now has", first="bin.000001", segments=5)
    check_replayable(host, tmp_path)


def test_files_purged_before_they_were_shipped_are_a_gap(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    for key in range(4):
        insert(server, key)
        server.sql("FLUSH BINARY LOGS")
    purge_to(server, "bin.000004")
    check_broken(host, r"purged bin\.000002 and all others before bin\.000004", first="bin.000004", segments=4)
    check_replayable(host, tmp_path)


def test_a_following_name_with_another_state_is_a_gap_when_the_shipped_file_is_gone(
    server: Server, tmp_path: Path
) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.sql("RESET MASTER")
    insert(server, 1)
    server.sql("FLUSH BINARY LOGS")
    purge_to(server, "bin.000002")
    check_broken(host, r"bin\.000002 begins at '0-7-1', bin\.000001 ended at", first="bin.000002", segments=2)
    check_replayable(host, tmp_path)


def test_a_file_missing_from_the_middle_is_a_gap(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    for key in range(4):
        insert(server, key)
        server.sql("FLUSH BINARY LOGS")
    server.stop()
    index = server.datadir / "bin.index"
    index.write_text(index.read_text().replace("./bin.000003\n", ""))
    server.start()
    check_broken(host, r"bin\.000004 does not follow bin\.000002", first="bin.000004", segments=4)
    assert [segment.name for segment in lineage(host, 0)] == ["bin.000001", "bin.000002"]
    check_replayable(host, tmp_path)


def test_a_rebuilt_server_with_the_same_names_sizes_and_gtids_is_noticed(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    shipped = lineage(host)[0]
    with running_server(LOGGING) as rebuilt:
        host = shipping_host(tmp_path, rebuilt)
        with session(host.database, timeout_s=60) as connected:
            connected.heartbeat(utcnow())
            connected.flush()
        rebuilt.sql("INSERT INTO shop.t VALUES (1, 'new')")
        sizes = {name: size for name, size, *_ in rebuilt.sql("SHOW BINARY LOGS")}
        assert sizes["bin.000001"] == shipped.sealed.plain_size
        check_broken(host, r"bin\.000001 has other bytes than were shipped", first="bin.000001", segments=2)
        assert lineage(host)[0].last_state == shipped.last_state
        check_replayable(host, tmp_path)


def test_bytes_that_differ_on_refetching_are_noticed(server: Server, tmp_path: Path) -> None:
    server.sql("SET GLOBAL binlog_checksum = NONE")
    host = shipping_host(tmp_path, server)
    insert(server, 1, text="innocent")
    ship(host)
    overwrite(server, "bin.000002", b"innocent", b"tampered")
    check_broken(host, r"bin\.000002 has other bytes than were shipped", first="bin.000001", segments=4)


def test_a_shipped_file_that_was_damaged_on_the_server_is_noticed(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    insert(server, 1, text="innocent")
    ship(host)
    overwrite(server, "bin.000001", b"innocent", b"tampered")
    check_broken(host, r"bin\.000001 .*damaged at offset", first="bin.000002", segments=2)


def test_a_damaged_file_ends_its_lineage_and_the_next_file_begins_another(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    insert(server, 1, text="innocent")
    overwrite(server, "bin.000002", b"innocent", b"tampered")
    check_broken(host, r"bin\.000002 is damaged at offset \d+", first="bin.000003", segments=1)
    check_replayable(host, tmp_path)


def test_a_file_in_which_the_server_says_that_it_lost_events_is_a_gap(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.stop()
    lossy = BinlogBuilder(BinlogState.parse(lineage(host)[-1].last_state))
    lossy.event(INCIDENT, struct.pack("<HB", 1, 4) + b"lost").rotate("bin.000003")
    lossy.write(server.datadir / "bin.000002")
    server.start()
    check_broken(host, r"lost events at offset \d+ of bin\.000002: lost", first="bin.000003", segments=1)


def test_a_file_cut_inside_an_event_by_a_power_cut_is_a_gap(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    insert(server, 1, text="x" * 1000)
    server.kill()
    cut(server, "bin.000002", by=500)
    server.start()
    check_broken(host, r"bin\.000002 to its end", first="bin.000003", segments=1)


def test_a_file_that_ends_inside_a_transaction_is_the_last_of_its_lineage(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    insert(server, 1, 2)
    server.kill()
    cut(server, "bin.000002", by=31)  # the length of the event that commits
    server.start()
    check_broken(host, r"bin\.000002 ends inside a transaction", first="bin.000003", segments=1)
    assert [segment.name for segment in lineage(host, 0)] == ["bin.000001", "bin.000002"]
    assert lineage(host, 0)[1].transactions == 1
    check_replayable(host, tmp_path)


def test_what_ends_inside_a_transaction_is_remembered_from_run_to_run(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    insert(server, 1, 2)
    server.kill()
    cut(server, "bin.000001", by=31)
    server.start()
    with session(host.database, timeout_s=60) as connected:
        listing = connected.listing()
    Shipper(host, HeartbeatMemory(host.machine.state_dir, "acme"), lambda: 60.0).ship_closed(listing)
    assert [segment.name for segment in lineage(host)] == ["bin.000001"]
    check_broken(host, r"bin\.000001 ends inside a transaction", first="bin.000002", segments=1)


def test_a_changed_server_id_begins_another_lineage(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.restart([*LOGGING, "--server-id=8"])
    caught = check_broken(host, "id was 7 and is now 8", first="bin.000001", segments=3)
    assert caught.shipment.body.server == "s8"
    server.restart([*LOGGING, "--server-id=7"])
    check_broken(host, "id was 8 and is now 7", first="bin.000001", segments=6)


def test_renamed_logs_begin_another_lineage(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    server.restart(["--log-bin=other", *LOGGING[1:]])
    check_broken(host, "bin.000001 was shipped, and now there is other.000001", first="other.000001", segments=1)


def test_several_gaps_in_one_run_are_all_told(server: Server, tmp_path: Path) -> None:
    host = shipping_host(tmp_path, server)
    ship(host)
    for key in range(4):
        insert(server, key, text="innocent")
        server.sql("FLUSH BINARY LOGS")
    overwrite(server, "bin.000002", b"innocent", b"tampered")
    overwrite(server, "bin.000004", b"innocent", b"tampered")
    with pytest.raises(LineageBrokenError) as caught:
        ship(host)
    assert [re.findall(r"bin\.\d+", gap)[0] for gap in caught.value.shipment.body.gaps] == ["bin.000002", "bin.000004"]
    names = [[segment.name for segment in lineage(host, number)] for number in range(3)]
    assert names == [["bin.000001"], ["bin.000003"], [f"bin.00000{number}" for number in range(5, 9)]]
    check_replayable(host, tmp_path)


def overwrite(server: Server, name: str, old: bytes, new: bytes) -> None:
    """Change bytes of a file while the server is down."""
    server.stop()
    path = server.datadir / name
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    server.start()


def cut(server: Server, name: str, *, by: int) -> None:
    path = server.datadir / name
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - by)
