"""The ledger: the hash-chained list of everything that runs have proved on this machine, in one SQLite file.

The chain is chain.py's; the payload of a row is the record as canonical JSON, kept byte for byte, so that verifying
hashes what is stored and never serialises again. Triggers refuse changes by mistake; changes on purpose are what the
chain and its checkpoints are for.
"""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from opsctl.core import chain
from opsctl.core.canonical import canonical
from opsctl.core.durable import locked_directory, unwritable
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.record import AnyBody, Body, Record
from opsctl.core.room import full
from opsctl.core.store.directory import sync_directory

FORMAT = 1
BUSY_TIMEOUT_S = 30.0
_LITTLE_ROOM = 256 << 10

# SQLite stores any type in any column; whoever edits a row may leave text where bytes were.
_COLUMNS = "seq, CAST(prev_hash AS BLOB), CAST(row_hash AS BLOB), CAST(payload AS BLOB)"

_SCHEMA = """
CREATE TABLE log (format INTEGER NOT NULL, id BLOB NOT NULL CHECK (length(id) = 16));
CREATE TABLE entry (
  seq INTEGER PRIMARY KEY, prev_hash BLOB NOT NULL, row_hash BLOB NOT NULL, payload BLOB NOT NULL,
  kind TEXT NOT NULL, subject TEXT NOT NULL, finished TEXT NOT NULL
);
CREATE INDEX entry_by_kind ON entry (kind, subject, finished);
CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


@dataclass(frozen=True)
class Entry:
    """One row of a ledger."""

    seq: int
    prev_hash: bytes
    row_hash: bytes
    payload: bytes

    def record(self) -> Record[AnyBody]:
        """The record, whatever its kind."""
        return Record[AnyBody].model_validate_json(self.payload)

    def record_of(self, body: type[Body]) -> Record[Body]:
        """The record with a typed body. Raises IntegrityError when it is not of that form."""
        try:
            return Record[body].model_validate_json(self.payload)  # type: ignore[valid-type]
        except ValueError as error:
            raise IntegrityError(f"ledger entry {self.seq} is no {body.__name__}: {error}") from error


class Ledger(Protocol):
    """Where records go, and where they are read."""

    def append(self, record: Record[Any]) -> Entry:
        """Write a record durably at the end of the chain."""
        ...

    def query(
        self, kind: str | None = None, subject: str | None = None, since: datetime | None = None
    ) -> Iterator[Entry]:
        """Entries of a kind, about a subject, finished at or after a time; oldest first."""
        ...

    def snapshot(self, target: Path) -> None:
        """Write a consistent copy into a new file."""
        ...


class SqliteLedger:
    """A Ledger in one SQLite file (WAL): one writer at a time, readers never wait and never change it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Record[Any]) -> Entry:
        """Write a record; two writers cannot fork the chain, since the tail is read under the write lock."""
        payload = canonical(record)
        with self._writing() as db:
            log_id = _log_id(db)
            tail = db.execute("SELECT seq, row_hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
            seq, prev = (tail[0] + 1, tail[1]) if tail else (1, chain.ZERO)
            entry = Entry(seq, prev, chain.row_hash(log_id, seq, prev, payload), payload)
            db.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)",
                (seq, prev, entry.row_hash, payload, record.kind, record.subject, _sortable(record.finished)),
            )
        return entry

    def query(
        self, kind: str | None = None, subject: str | None = None, since: datetime | None = None
    ) -> Iterator[Entry]:
        """Read entries; a ledger that does not exist yet has none."""
        wanted = [
            ("kind = ?", kind),
            ("subject = ?", subject),
            ("finished >= ?", None if since is None else _sortable(since)),
        ]
        given = [(clause, value) for clause, value in wanted if value is not None]
        where = " WHERE " + " AND ".join(clause for clause, _ in given) if given else ""
        with self._reading() as db:
            if db is None:
                return
            sql = f"SELECT {_COLUMNS} FROM entry{where} ORDER BY seq"  # noqa: S608 - fixed words
            for row in db.execute(sql, [value for _, value in given]):
                yield Entry(*row)

    def last(self, kind: str, subject: str | None = None) -> Entry | None:
        """The newest entry of a kind."""
        newest = None
        for newest in self.query(kind, subject):  # noqa: B007 - the last one is wanted
            pass
        return newest

    def log_id(self) -> bytes | None:
        """The log's id: 16 bytes; None when there is no ledger yet."""
        with self._reading() as db:
            return None if db is None else _log_id(db)

    def snapshot(self, target: Path) -> None:
        """Write a consistent copy into a new file."""
        with self._reading() as db, contextlib.closing(sqlite3.connect(target)) as copy:
            if db is not None:
                db.backup(copy)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            if not self.path.exists():
                _create(self.path)
            db = _connect(self.path, "rw")
        with self._explained(), contextlib.closing(db):
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            yield db
            failpoint("ledger.before_commit")
            db.execute("COMMIT")
            failpoint("ledger.after_commit")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        if not self.path.exists():
            yield None
            return
        with self._explained(), contextlib.closing(_connect(self.path, "rw")) as db:
            db.execute("PRAGMA query_only = ON")
            _log_id(db)  # entries of a format that is not known are not shown as if it were
            yield db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _for_want_of_room(error, self.path):
                raise full(self.path.parent, f"the ledger cannot be written: {error}") from error
            raise OpsError(
                f"the ledger cannot be used: {error}", where=str(self.path), hint="run: opsctl ledger verify"
            ) from error


def _for_want_of_room(error: sqlite3.Error, path: Path) -> bool:
    """SQLite calls a full disk an I/O error where it cannot make its shared memory."""
    name = str(getattr(error, "sqlite_errorname", ""))
    found = os.statvfs(path.parent)
    return name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and found.f_bavail * found.f_frsize < _LITTLE_ROOM)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _create(path: Path) -> None:
    """Make an empty ledger under another name and rename it, so that none is ever seen half-made.

    What a run that was killed meanwhile left under that name is made anew.
    """
    fresh = path.with_name(f".{path.name}.fresh")
    with locked_directory(path.parent):
        if path.exists():
            return
        try:
            for left in path.parent.glob(f"{fresh.name}*"):
                left.unlink()
            with contextlib.closing(_connect(fresh, "rwc")) as db:
                db.executescript("PRAGMA journal_mode = WAL;" + _SCHEMA)
                db.execute("INSERT INTO log VALUES (?, ?)", (FORMAT, secrets.token_bytes(16)))
            failpoint("ledger.before_create")
            fresh.chmod(0o640)
            if os.geteuid() == 0:  # whoever the directory belongs to goes on with it
                owner = path.parent.stat()
                os.chown(fresh, owner.st_uid, owner.st_gid)
            fresh.rename(path)
            failpoint("ledger.after_create")
            sync_directory(path.parent)
        except OSError as error:
            raise unwritable(error, path) from error


def _log_id(db: sqlite3.Connection) -> bytes:
    form, log_id = db.execute("SELECT format, id FROM log").fetchone()
    if form != FORMAT:
        raise OpsError(f"the ledger has format {form}, this opsctl knows {FORMAT}", hint="use a newer opsctl")
    return bytes(log_id)


def _sortable(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
