"""The probes of the server, held against the variables that servers have."""

from collections.abc import Mapping

import pytest

from opsctl.core.mariadb.version import Version, find_version
from opsctl.core.process import Command, Completed
from opsctl.core.result import Outcome, Result
from opsctl.overview.probes import server
from opsctl.stack.settings import DatabaseSection

GOOD = {
    "version": "10.11.19-MariaDB-0+deb12u1-log",
    "wsrep_on": "OFF",
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_do_db": "",
    "binlog_ignore_db": "",
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "binlog_checksum": "CRC32",
    "binlog_expire_logs_seconds": "1209600",
}
TOOL = "mariadb-backup based on MariaDB server 10.11.19-MariaDB debian-linux-gnu (x86_64)"


class Host:
    """A host whose mariadb-backup says its version."""

    def __init__(self, says: str = TOOL) -> None:
        self.says = says

    @property
    def where(self) -> str:
        return "a host"

    def run(self, command: Command, *, timeout_s: float, stdin: bytes | None = None) -> Completed:
        return Completed(command, 0, b"", self.says, 0.0)


def look(monkeypatch: pytest.MonkeyPatch, probe_id: str, variables: Mapping[str, str], *, tool: str = TOOL) -> Result:
    def answer(database: DatabaseSection) -> Mapping[str, str]:
        return {**GOOD, **variables}

    monkeypatch.setattr(server, "_variables", answer)
    (probe,) = [probe for probe in server.server_probes(DatabaseSection()) if probe.id == f"server.{probe_id}"]
    return probe.run(Host(tool))


PROBES = [probe.id.removeprefix("server.") for probe in server.server_probes(DatabaseSection())]


@pytest.mark.parametrize("probe_id", [probe for probe in PROBES if not probe.startswith("login")])
def test_a_good_server_passes(monkeypatch: pytest.MonkeyPatch, probe_id: str) -> None:
    assert look(monkeypatch, probe_id, {}).passed


@pytest.mark.parametrize(
    ("probe_id", "variables", "words"),
    [
        ("log_bin", {"log_bin": "OFF"}, "log_bin = mysql-bin"),
        ("galera", {"wsrep_on": "ON"}, "Galera"),
        ("binlog_filter", {"binlog_do_db": "crm"}, "remove binlog_do_db"),
        ("binlog_filter", {"binlog_ignore_db": "crm"}, "remove binlog_ignore_db"),
        ("binlog_expiry", {"binlog_expire_logs_seconds": "604799"}, "binlog_expire_logs_seconds = 604800"),
        ("version", {"version": "8.0.36"}, "opsctl works with MariaDB"),
        ("version", {"version": "10.6.17-MariaDB"}, "upgrade MariaDB"),
        ("backup_version", {"version": "10.11.20-MariaDB"}, "older than the server's 10.11.20"),
        ("backup_version", {"version": "11.4.2-MariaDB"}, "of another series"),
    ],
)
def test_a_server_that_loses_data_fails(
    monkeypatch: pytest.MonkeyPatch, probe_id: str, variables: dict[str, str], words: str
) -> None:
    result = look(monkeypatch, probe_id, variables)
    assert result.outcome is Outcome.FAILED
    assert words in f"{result.found} {result.hint}"


def test_logs_that_are_kept_until_purged_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, "binlog_expiry", {"binlog_expire_logs_seconds": "0"}).passed


def test_a_version_from_before_short_locks_passes_with_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    result = look(monkeypatch, "version", {"version": "10.11.6-MariaDB"})
    assert result.passed
    assert "before 10.11.8 commits wait longer" in result.found


def test_a_version_that_cannot_be_read_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, "backup_version", {}, tool="?").outcome is Outcome.COULD_NOT_RUN


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (TOOL, Version(10, 11, 19)),
        ("mariadbd  Ver 11.8.6-MariaDB-ubu2404 for debian-linux-gnu", Version(11, 8, 6)),
        ("5.5.5-10.11.19-MariaDB", Version(10, 11, 19)),
        ("nothing", None),
    ],
)
def test_versions_are_found(text: str, version: Version | None) -> None:
    assert find_version(text) == version
