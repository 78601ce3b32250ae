"""A run of shipping that is killed leaves nothing half-published, and the next run completes it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backup.binlog.gaps import find_gaps
from backup.binlog.ship import ship
from backup.binlog.space import memory_base
from opsctl.core.canonical import canonical, sha256_hex
from tests.integration.binlog.shipping import LOGGING, check_archive, insert, lineage, shipping_host
from tests.support.mariadb import running_server

_MOMENTS = (
    "sealing",
    r"before:bin\.000003.*\.zst\.age$",
    r"after:bin\.000003.*\.zst\.age$",
    r"after:bin\.000003.*\.json\.sig$",
    r"after:bin\.000003.*\.json$",
    r"before:bin\.000004.*\.json$",
    r"before:heads/.*\.json\.sig$",
    r"after:heads/.*\.json\.sig$",
    r"after:heads/.*\.json$",
)


@pytest.mark.parametrize("moment", _MOMENTS)
def test_the_next_run_completes_what_a_killed_one_began(tmp_path: Path, moment: str) -> None:
    with running_server(LOGGING) as server:
        host = shipping_host(tmp_path, server)
        ship(host)
        for key in range(2):
            insert(server, key, text="findme")
            server.sql("FLUSH BINARY LOGS")
        words = [sys.executable, "-m", "tests.integration.binlog.dying", str(tmp_path), str(server.directory), moment]
        assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
        assert find_gaps(host.catalog) == []
        left = set(memory_base().iterdir())

        ship(host)

        check_archive(host, server, tmp_path, segments=len(lineage(host)))
        assert [segment.name for segment in lineage(host)][:3] == ["bin.000001", "bin.000002", "bin.000003"]
        assert find_gaps(host.catalog) == []
        assert not left & set(memory_base().iterdir())
        head = host.catalog.newest_head()
        assert head is not None
        assert head.last_record == sha256_hex(canonical(lineage(host)[-1]))
