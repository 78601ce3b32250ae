"""When a physical backup counts as whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.mbstream import StreamError, StreamWatch
from backup.physical import Physical, backup_command, confirm_whole, watch
from opsctl.core.process import Completed, command
from tests.unit.backup.mbstreams import payload, whole

CHECKPOINTS = b"backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 18446744073709551615\nlast_lsn = 7\n"
INFO = b"uuid = x\nstart_time = 2026-05-01 01:59:00\ntool_command = --a=b\ntool_version = 10.11.19-MariaDB\n"
SAID = "[00] 2026-05-01 01:59:58 Acquired locks for BACKUP STAGE BLOCK_COMMIT\n[00] 2026-05-01 02:00:00 completed OK!\n"
OLD = ("xtrabackup_checkpoints", "xtrabackup_info", "xtrabackup_binlog_info")
NEW = ("mariadb_backup_checkpoints", "mariadb_backup_info", "mariadb_backup_binlog_info")


def parts(names: tuple[str, str, str]) -> dict[str, bytes]:
    return dict(zip(names, (CHECKPOINTS, INFO, b"bin.000042\t413\t0-7-10,1-8-3\n"), strict=True))


def judged(
    directory: Path, files: dict[str, bytes], *, said: str = SAID, binlog: bool = True, lsn: tuple[str, ...] = OLD
) -> Physical:
    for name in lsn:
        (directory / name).write_bytes(b"")
    watched: StreamWatch = watch()
    for name, data in {"db/t.ibd": b"data", **files}.items():
        watched(memoryview(whole(name, data)))
    done = Completed(command("mariadb-backup"), 0, b"", said, 1.0)
    return confirm_whole(done, watched, directory, binlog=binlog)


@pytest.mark.parametrize("names", [OLD, NEW], ids=["names until 11.0", "names since 11.1"])
def test_a_whole_backup_tells_lsns_version_and_position(tmp_path: Path, names: tuple[str, str, str]) -> None:
    found = judged(tmp_path, parts(names), lsn=names)
    assert (found.from_lsn, found.to_lsn, found.last_lsn) == ("0", "18446744073709551615", "7")
    assert found.tool_version == "10.11.19-MariaDB"
    assert (found.binlog_file, found.binlog_position, found.gtid_position) == ("bin.000042", 413, "0-7-10,1-8-3")
    assert found.locked_at == datetime(2026, 5, 1, 1, 59, 58, tzinfo=UTC)


def test_without_a_word_of_its_locks_a_backup_counts_from_its_start(tmp_path: Path) -> None:
    found = judged(tmp_path, parts(OLD), said="completed OK!\n")
    assert found.locked_at == datetime(2026, 5, 1, 1, 59, tzinfo=UTC)


def test_a_server_without_a_binary_log_has_no_position(tmp_path: Path) -> None:
    found = judged(tmp_path, {name: data for name, data in parts(OLD).items() if name != OLD[2]}, binlog=False)
    assert (found.binlog_file, found.binlog_position, found.gtid_position) == (None, None, "")


@pytest.mark.parametrize("missing", OLD)
def test_a_stream_without_one_of_the_files_that_describe_it_is_not_whole(tmp_path: Path, missing: str) -> None:
    with pytest.raises(StreamError, match=f"no {missing}"):
        judged(tmp_path, {name: data for name, data in parts(OLD).items() if name != missing})


@pytest.mark.parametrize("missing", OLD[:2])
def test_a_backup_that_did_not_write_its_lsns_beside_the_stream_is_not_whole(tmp_path: Path, missing: str) -> None:
    with pytest.raises(StreamError, match=missing):
        judged(tmp_path, parts(OLD), lsn=tuple(name for name in OLD if name != missing))


@pytest.mark.parametrize("said", ["", "completed OK!\n[00] Error: something after it\n", "completed"])
def test_a_program_that_did_not_end_with_completed_ok_made_no_backup(tmp_path: Path, said: str) -> None:
    with pytest.raises(StreamError, match="completed OK!"):
        judged(tmp_path, parts(OLD), said=said)


@pytest.mark.parametrize(
    "changed",
    [
        {OLD[0]: b"backup_type = full-backuped\nfrom_lsn = 0\n"},
        {OLD[1]: b"uuid = x\nstart_time = 2026-05-01 01:59:00\n"},
        {OLD[2]: b"bin.000042\tnowhere\t\n"},
        {OLD[2]: b"bin.000042"},
    ],
    ids=["no to_lsn", "no tool version", "no position", "only a file"],
)
def test_a_stream_that_describes_itself_incompletely_is_refused(tmp_path: Path, changed: dict[str, bytes]) -> None:
    with pytest.raises(StreamError):
        judged(tmp_path, {**parts(OLD), **changed})


def test_a_stream_that_is_cut_after_its_last_info_chunk_began_is_refused(tmp_path: Path) -> None:
    for name in OLD:
        (tmp_path / name).write_bytes(b"")
    watched = watch()
    stream = b"".join(whole(name, data) for name, data in parts(OLD).items()) + payload("db/t.ibd", b"half")
    watched(memoryview(stream))
    with pytest.raises(StreamError, match=r"before db/t\.ibd does"):
        confirm_whole(Completed(command("mariadb-backup"), 0, b"", SAID, 1.0), watched, tmp_path, binlog=True)


def test_the_login_reaches_the_program_only_by_descriptor(tmp_path: Path) -> None:
    built = backup_command("--defaults-extra-file=/dev/fd/9", 9, parallel=3, lsn_dir=tmp_path, target=tmp_path)
    assert built.plain()[:5] == [
        "mariadb-backup",
        "--defaults-file=/dev/fd/9",
        "--backup",
        "--stream=mbstream",
        "--parallel=3",
    ]
    assert built.pass_fds == (9,)
