"""What continues a lineage, by names and sizes; and which backups a lineage continues."""

from datetime import datetime

import pytest

from backup.binlog.ids import id_at, moment_after
from backup.binlog.lineage import name_in, plan, stands_on
from backup.binlog.session import BinlogFile, Listing
from opsctl.core.clock import utcnow
from tests.unit.backup.binlogs import manifest, segment


def listing(*names: str, server_id: int = 7, size: int = 1000) -> Listing:
    return Listing(server_id, tuple(BinlogFile(name, size) for name in names))


LAST = segment("bin.000002", "0-7-5", "0-7-9", minute=10, number=2)


@pytest.mark.parametrize(
    ("names", "shipped"),
    [
        (["bin.000001", "bin.000002", "bin.000003"], []),
        (["bin.000001", "bin.000002", "bin.000003", "bin.000004"], ["bin.000003"]),
        (["bin.000003"], []),
        (["bin.000003", "bin.000004"], ["bin.000003"]),
    ],
)
def test_names_that_continue(names: list[str], shipped: list[str]) -> None:
    todo = plan(LAST, listing(*names))
    assert todo.broken is None
    assert [file.name for file in todo.files] == shipped


@pytest.mark.parametrize(
    ("names", "because"),
    [
        (["bin.000004", "bin.000005"], "purged bin.000003 and all others before bin.000004"),
        (["bin.000001"], "began its logs anew"),
        (["bin.000001", "bin.000002"], "began its logs anew"),
        (["other.000003", "other.000004"], "began its logs anew"),
        (["other.000008", "other.000009"], "began its logs anew"),
    ],
)
def test_names_that_do_not_continue_ship_everything_closed(names: list[str], because: str) -> None:
    todo = plan(LAST, listing(*names))
    assert todo.broken is not None
    assert because in todo.broken
    assert [file.name for file in todo.files] == names[:-1]


def test_another_size_of_the_last_shipped_file_does_not_continue() -> None:
    todo = plan(LAST, listing("bin.000001", "bin.000002", "bin.000003", size=1001))
    assert todo.broken == "bin.000002 was shipped with 1000 bytes and now has 1001"
    assert [file.name for file in todo.files] == ["bin.000001", "bin.000002"]


def test_another_server_does_not_continue() -> None:
    assert plan(LAST, listing("bin.000002", "bin.000003", server_id=8)).broken == "the server's id was 7 and is now 8"


def test_the_first_shipment_takes_everything_closed() -> None:
    todo = plan(None, listing("bin.000004", "bin.000005"))
    assert (todo.broken, [file.name for file in todo.files]) == ("first shipment", ["bin.000004"])


def test_the_name_in_a_key_is_that_of_the_log() -> None:
    assert name_in("a/binlog/s7/l/my.db-bin.1000000.20260501T020000000000Z-1a2b3c4d.json") == "my.db-bin.1000000"


def test_ids_sort_within_a_second_and_when_the_clock_was_set_back() -> None:
    first = id_at(utcnow())
    second = id_at(moment_after(first))
    ahead = id_at(datetime.fromisoformat("2199-01-01T00:00:00Z"))
    assert first < second < id_at(moment_after(second)) < ahead < id_at(moment_after(ahead))


LINEAGE = [
    segment("bin.000001", "0-7-5", "0-7-9", minute=10, number=1),
    segment("bin.000002", "0-7-9", "0-7-12", minute=25, number=2),
]


@pytest.mark.parametrize(
    ("file", "position", "state", "minute"),
    [
        ("bin.000001", 500, "0-7-7", 9.5),  # inside a segment
        ("bin.000001", 256, "0-7-5", 5),  # at its beginning, before anything was written
        ("bin.000002", 959, "0-7-12", 26),  # at its end
        ("bin.000003", 400, "0-7-14", 30),  # in a file that is not shipped yet
    ],
)
def test_a_backup_whose_position_is_in_the_lineage_stands_on_it(
    file: str, position: int, state: str, minute: float
) -> None:
    assert stands_on(LINEAGE, manifest(file, position, state, minute=minute))


@pytest.mark.parametrize(
    ("file", "position", "state", "minute", "server_id"),
    [
        ("bin.000001", 300, "0-7-3", 8, 7),  # before the lineage began
        ("bin.000001", 500, "0-7-7", 8, 7),  # same name and GTIDs, from before RESET MASTER
        ("bin.000001", 5000, "0-7-7", 9.5, 7),  # a file of that name was longer
        ("bin.000002", 500, "0-7-77", 26, 7),  # same name, other GTIDs
        ("bin.000009", 500, "0-7-50", 5, 7),  # a later name, from before RESET MASTER
        ("bin.000003", 500, "0-7-11", 30, 7),  # lacks what the lineage holds
        ("bin.000001", 500, "0-7-7", 9.5, 8),  # of another server
        (None, 0, "", 30, 7),  # of a server without a binary log
    ],
)
def test_a_backup_that_the_lineage_does_not_continue_does_not_stand_on_it(
    file: str | None, position: int, state: str, minute: float, server_id: int
) -> None:
    assert not stands_on(LINEAGE, manifest(file, position, state, minute=minute, server_id=server_id))


def test_only_the_ends_and_the_files_segment_are_needed() -> None:
    backup = manifest("bin.000001", 500, "0-7-7", minute=9.5)
    later = segment("bin.000900", "0-7-900", "0-7-905", minute=900, number=900)
    assert stands_on([LINEAGE[0], later], backup)
