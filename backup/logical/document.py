"""The document that describes one logical export. It is published last; before it, there is no export."""

from datetime import datetime
from typing import Literal

from backup.codec import Sealed
from backup.manifest import Part, Phase
from opsctl.core.canonical import parse_versioned
from opsctl.core.errors import IntegrityError

VERSION = 1


class Dump(Part):
    """One archive of SQL: `databases` (tables with their rows, routines, triggers, events), `accounts` (users, roles,
    grants) or `views`. They are loaded in this order: grants name tables, views work with their definers' privileges.
    """

    name: str
    kind: Literal["database", "accounts", "views"]
    database: str | None
    key: str
    sealed: Sealed
    recipients: tuple[str, ...]


class ExportedTable(Part):
    """A table, view or sequence. `rows` and `checksum` were computed by the server on the very snapshot that was
    exported (see backup/logical/inventory.py); they are None for views, sequences and tables outside of the snapshot,
    whose engine knows no transactions.
    """

    database: str
    name: str
    kind: Literal["table", "view", "sequence"]
    engine: str | None
    rows: int | None
    checksum: str | None


class Program(Part):
    """A stored program; `status` is that of an event, `sha256` of its body without the spaces around it."""

    database: str
    name: str
    kind: str
    definer: str
    status: str | None
    sha256: str


class Schema(Part):
    """A database with its defaults."""

    name: str
    charset: str
    collation: str


class Export(Part):
    """A logical export. All times are UTC; `snapshot` is the moment whose state it holds.

    `load_as_at`, seconds since 1970, is where time has to stand while it is loaded: before every event is past, since a
    server makes no event that is.

    The binary log's position and the GTID states are those of the snapshot, None and "" without a binary log.
    `key_ids`: the encryption keys that tables ask for by number; a server that loads them needs keys of these numbers,
    whichever. `history_left_out`: tables whose system versioning is there and whose former rows are not, which other
    versions would take for current ones.
    """

    format: Literal["opsctl-export"] = "opsctl-export"
    version: int = VERSION
    id: str
    stack: str
    started: datetime
    snapshot: datetime
    finished: datetime
    load_as_at: int
    opsctl_version: str
    host: str
    server_version: str
    tool_version: str
    server_id: int
    encrypted: bool
    key_ids: tuple[int, ...]
    binlog_file: str | None
    binlog_position: int | None
    gtid_position: str
    gtid_state: str
    dumps: tuple[Dump, ...]
    databases: tuple[Schema, ...]
    tables: tuple[ExportedTable, ...]
    programs: tuple[Program, ...]
    accounts: tuple[str, ...]
    roles: tuple[str, ...]
    history_left_out: tuple[str, ...]
    phases: tuple[Phase, ...]

    def outside(self) -> tuple[ExportedTable, ...]:
        """Tables that are not of the snapshot's moment, since their engine knows no transactions."""
        return tuple(table for table in self.tables if table.kind == "table" and table.checksum is None)

    def dump(self, name: str) -> Dump:
        """The archive of that name. Raises IntegrityError when there is none."""
        for dump in self.dumps:
            if dump.name == name:
                return dump
        raise IntegrityError(f"export {self.id} has no archive '{name}'")


def parse_export(data: bytes, what: str) -> Export:
    """Read a document whose signature was verified. Raises IntegrityError for an unknown version or form."""
    return parse_versioned(Export, data, what=what, version=VERSION)
