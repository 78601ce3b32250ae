"""The words with which binary logs are fetched, and the name of the heartbeat table in SQL."""

from pathlib import Path

import pytest

from backup.binlog.fetch import fetch_command
from backup.binlog.session import quoted_table
from opsctl.core.errors import SettingsError
from opsctl.stack.settings import DatabaseSection


def test_only_the_inherited_option_file_is_read() -> None:
    options = "--defaults-extra-file=/dev/fd/7"
    fetch = fetch_command(options, 7, ["bin.000001", "bin.000002"], Path("/dev/shm/x"))
    assert fetch.plain() == [
        *("mariadb-binlog", "--defaults-file=/dev/fd/7", "--read-from-remote-server", "--raw"),
        *("--result-file=/dev/shm/x/", "--", "bin.000001", "bin.000002"),
    ]
    assert fetch.pass_fds == (7,)


def test_the_heartbeat_table_is_quoted() -> None:
    assert quoted_table(DatabaseSection(heartbeat_table="my`db.heart beat")) == "`my``db`.`heart beat`"


@pytest.mark.parametrize("name", ["heartbeat", "a.b.c", ".heartbeat", "opsctl."])
def test_a_heartbeat_table_without_a_database_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="names no table of a database"):
        quoted_table(DatabaseSection(heartbeat_table=name))
