"""Which heartbeat is claimed for which file."""

from datetime import timedelta
from pathlib import Path

import pytest

from backup.binlog.heartbeat import HeartbeatMemory
from backup.binlog.session import Heartbeat
from opsctl.core.errors import IntegrityError
from opsctl.core.mariadb.binlog import FileScan, scan
from opsctl.core.mariadb.gtid import BinlogState, Gtid
from tests.support.binlogs import BinlogBuilder
from tests.unit.backup.binlogs import at


@pytest.fixture
def memory(tmp_path: Path) -> HeartbeatMemory:
    return HeartbeatMemory(tmp_path / "state", "acme")


def file_with(tmp_path: Path, after: str, *gtids: str, begun: float) -> FileScan:
    """A file that holds these transactions and was begun at a minute."""
    builder = BinlogBuilder(BinlogState.parse(after), at=int(at(begun).timestamp()))
    for gtid in gtids:
        builder.transaction(gtid)
    return scan(builder.rotate("bin.000002").write(tmp_path / "bin.000001"))


def beat(minute: float, gtid: str) -> Heartbeat:
    return Heartbeat(at(minute), Gtid.parse(gtid))


def test_the_newest_heartbeat_in_the_file_is_claimed(memory: HeartbeatMemory, tmp_path: Path) -> None:
    for one in (beat(1, "0-7-4"), beat(2, "0-7-6"), beat(3, "0-7-8"), beat(4, "0-7-9")):
        memory.remember(one)
    assert memory.newest_in(file_with(tmp_path, "0-7-5", "0-7-6", "0-7-7", "0-7-8", begun=1)) == at(3)


def test_a_file_without_a_heartbeat_claims_none(memory: HeartbeatMemory, tmp_path: Path) -> None:
    memory.remember(beat(1, "0-7-4"))
    memory.remember(beat(2, "0-7-9"))
    assert memory.newest_in(file_with(tmp_path, "0-7-5", "0-7-6", begun=1)) is None


def test_a_heartbeat_from_before_the_file_was_begun_is_not_in_it_though_its_gtid_is(
    memory: HeartbeatMemory, tmp_path: Path
) -> None:
    memory.remember(beat(1, "0-7-6"))
    again = file_with(tmp_path, "", "0-7-5", "0-7-6", begun=2)
    assert memory.newest_in(again) is None
    memory.remember(beat(2.001, "0-7-5"))
    assert memory.newest_in(again) == at(2.001)


def test_another_servers_transaction_of_that_number_is_no_heartbeat(memory: HeartbeatMemory, tmp_path: Path) -> None:
    memory.remember(beat(1, "0-7-6"))
    assert memory.newest_in(file_with(tmp_path, "0-8-5", "0-8-6", begun=0)) is None


def test_what_is_sealed_and_what_is_older_is_forgotten(memory: HeartbeatMemory) -> None:
    for minute in (1, 2, 3):
        memory.remember(beat(minute, f"0-7-{minute}"))
    memory.forget_until(at(2))
    assert memory.all() == (beat(3, "0-7-3"),)


def test_times_are_kept_to_the_microsecond(memory: HeartbeatMemory) -> None:
    one = Heartbeat(at(0) + timedelta(microseconds=123456), Gtid(0, 7, 1))
    memory.remember(one)
    assert memory.all() == (one,)


def test_a_damaged_memory_is_an_error_that_names_the_way_out(memory: HeartbeatMemory, tmp_path: Path) -> None:
    memory.remember(beat(1, "0-7-1"))
    (tmp_path / "state" / "heartbeats-acme.json").write_text("[{]")
    with pytest.raises(IntegrityError, match="cannot be read") as caught:
        memory.all()
    assert caught.value.hint == f"rm {tmp_path}/state/heartbeats-acme.json"
