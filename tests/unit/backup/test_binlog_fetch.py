"""The words with which binary logs are fetched, and the name of the heartbeat table in SQL."""

from pathlib import Path

from backup.binlog.fetch import fetch_command


def test_only_the_inherited_option_file_is_read() -> None:
    options = "--defaults-extra-file=/dev/fd/7"
    fetch = fetch_command(options, 7, ["bin.000001", "bin.000002"], Path("/dev/shm/x"))
    assert fetch.plain() == [
        *("mariadb-binlog", "--defaults-file=/dev/fd/7", "--read-from-remote-server", "--raw"),
        *("--result-file=/dev/shm/x/", "--", "bin.000001", "bin.000002"),
    ]
    assert fetch.pass_fds == (7,)
