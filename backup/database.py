"""The database part of a backup: the physical archive, its inventory, and the GTID state at its position."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from backup import physical
from backup.archive import Archives
from backup.context import Host
from backup.facts import ServerFacts, read_facts
from backup.inventory import Inventory, confirm, read_inventory
from backup.manifest import Database, Table
from backup.mbstream import StreamWatch
from backup.position import gtid_state
from backup.unsupported import refuse_unsupported
from opsctl.core.mariadb.connect import Connection, connected, read_password, rows
from opsctl.core.process import Completed
from opsctl.stack.rooted import as_on_host

FORM = "mbstream.zst.age"
SQL_TIMEOUT_S = 600


def look_at_server(host: Host) -> ServerFacts:
    """Ask the server what it is. Raises AuthError, UnreachableError, SettingsError."""
    with connected_to(host) as connection:
        refuse_unsupported(connection, str(host.database.socket))
        return read_facts(connection)


def archive_database(
    host: Host, archives: Archives, facts: ServerFacts, lsn_dir: Path, base: Path | None = None
) -> Database:
    """Seal the server's data and prove that they are whole; the LSNs for later increments stay in `lsn_dir`.

    With `base`, the directory with the LSNs of another backup, only what changed since is sealed.

    Raises AuthError, UnreachableError, StalledError, StreamError, IntegrityError, CommandFailedError.
    """
    with connected_to(host) as connection:
        before = read_inventory(connection)
        if facts.binlog:
            # The log in which the backup will end begins here, so that little has to be read to know its state there.
            rows(connection, "FLUSH BINARY LOGS")
    judge = _Judge(host, facts, before, lsn_dir)
    with physical.explained(host), physical.producing(host, _password(host), lsn_dir, base) as producer:
        archives.seal("db", "database", FORM, [producer], approve=judge.approve, observe=(judge.watch,))
    taken, tables = judge.verdict()
    return Database(
        server_version=facts.version,
        tool_version=taken.tool_version,
        server_id=facts.server_id,
        from_lsn=taken.from_lsn,
        to_lsn=taken.to_lsn,
        last_lsn=taken.last_lsn,
        binlog_file=taken.binlog_file,
        binlog_position=taken.binlog_position,
        gtid_position=taken.gtid_position,
        gtid_state=_state(host, taken),
        encrypted=facts.keys.plugin is not None,
        key_file=_name(host, facts.keys.key_file),
        filekey_file=_name(host, facts.keys.filekey_file),
        tables=tables,
    )


@dataclass
class _Judge:
    """Decides, between the stream's end and its publication, whether the backup is whole."""

    host: Host
    facts: ServerFacts
    before: Inventory
    lsn_dir: Path
    watch: StreamWatch = field(default_factory=physical.watch)
    found: tuple[physical.Physical, tuple[Table, ...]] | None = None

    def approve(self, done: list[Completed]) -> None:
        """Raise unless all that the server has is in the stream."""
        taken = physical.confirm_whole(done[0], self.watch, self.lsn_dir, binlog=self.facts.binlog)
        with connected_to(self.host) as connection:
            after = read_inventory(connection)
        self.found = taken, confirm(self.before, after, taken.content, taken.locked_at)

    def verdict(self) -> tuple[physical.Physical, tuple[Table, ...]]:
        """What was found by `approve`."""
        assert self.found is not None  # noqa: S101 - seal has called approve, or raised
        return self.found


def _state(host: Host, taken: physical.Physical) -> str:
    if taken.binlog_file is None or taken.binlog_position is None:
        return ""
    with connected_to(host) as connection:
        return str(gtid_state(host, connection, taken.binlog_file, taken.binlog_position))


@contextmanager
def connected_to(host: Host) -> Iterator[Connection]:
    """A connection as `database.backup_user`. Raises AuthError, UnreachableError."""
    database = host.database
    with connected(
        database.socket, user=database.backup_user, password=_password(host), timeout_s=SQL_TIMEOUT_S
    ) as connection:
        yield connection


def _password(host: Host) -> SecretStr | None:
    return read_password(host.database.backup_password_file, host.database.backup_user)


def _name(host: Host, place: Path | None) -> str | None:
    return None if place is None else str(as_on_host(host.stack.root, place)[0])
