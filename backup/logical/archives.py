"""The archives of one logical export in the making: sealed, published, read back; deleted again when it fails."""

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from backup import layout
from backup.codec import Sealed, read_back, seal
from backup.context import Host
from backup.logical.catalog import export_ids
from backup.logical.document import Dump, ExportedTable
from backup.logical.sections import Heading, Section
from backup.manifest import Phase
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import OpsError
from opsctl.core.pipeline import Readable, Source
from opsctl.core.store import Stored
from opsctl.core.store.directory import DirectoryStore

FORM = "sql.zst.age"
ACCOUNTS = "users-and-grants"  # no file of a database has a hyphen in its name
VIEWS = ".views"  # nor a dot
LONGEST_NAME = 200


class Dumps:
    """Collects archives, and the duration of each phase, until the document describes them."""

    def __init__(self, host: Host, export_id: str) -> None:
        self._host = host
        self._prefix = layout.export(host.stack.name, export_id)
        self.phases: list[Phase] = []
        self._made: list[Dump] = []
        self._unread: list[tuple[Stored, Sealed]] = []

    @property
    def made(self) -> tuple[Dump, ...]:
        """All of them, in the order in which they are to be loaded."""
        return tuple(sorted(self._made, key=lambda dump: ("database", "accounts", "views").index(dump.kind)))

    @contextlib.contextmanager
    def phase(self, name: str, title: str, *, total_bytes: int | None = None) -> Iterator[None]:
        """Tell the operator what begins, and note how long it took."""
        self._host.progress.step(title, total_bytes=total_bytes)
        started = time.monotonic()
        yield
        self.phases.append(Phase(name=name, duration_s=round(time.monotonic() - started, 3)))

    def seal_section(self, heading: Heading, section: Section, file: str, tables: Sequence[ExportedTable]) -> None:
        """Seal a database, or its views; of one without views there is nothing to keep."""
        name = file if len(file) <= LONGEST_NAME else f"{file[:LONGEST_NAME]}-{sha256_hex(file.encode())[:16]}"
        if not heading.views:
            self._seal(name, "database", heading.database, section)
        elif any(table.kind == "view" and table.database == heading.database for table in tables):
            self._seal(name + VIEWS, "views", heading.database, section)
        else:
            section.drain()

    def seal_accounts(self, sql: bytes) -> None:
        """Seal the SQL of users, roles and grants."""
        self._seal(ACCOUNTS, "accounts", None, io.BytesIO(sql))

    def _seal(
        self, name: str, kind: Literal["database", "accounts", "views"], database: str | None, stream: Readable
    ) -> None:
        host, settings = self._host, self._host.backup
        key = f"{self._prefix}{name}.{FORM}"
        with host.store.create(key) as upload:
            sealed, _ = seal(
                [Source(stream)],
                upload,
                recipients=settings.recipients,
                level=settings.compression_level,
                threads=settings.parallel,
                timeout_s=settings.timeout_s,
                stall_s=settings.stall_s,
                advance=host.progress.advance,
            )
            stored = upload.commit()
        self._made.append(
            Dump(name=name, kind=kind, database=database, key=key, sealed=sealed, recipients=settings.recipients)
        )
        self._unread.append((stored, sealed))

    def read_back(self) -> None:
        """Compare each archive with what was sealed. Not before all of a dump is sealed: a server gives a connection up
        whose other end takes nothing for net_write_timeout, a minute by default. Raises IntegrityError, StoreError."""
        store, progress = self._host.store, self._host.progress
        with self.phase("read-back", "Reading back", total_bytes=sum(sealed.cipher_size for _, sealed in self._unread)):
            while self._unread:
                read_back(store, *self._unread.pop(), progress.advance)

    def discard(self) -> None:
        """Delete what was published of an unfinished export, its document first, as far as the store allows.

        Nobody can see any of it, so a store that does not is no further error.
        """
        with contextlib.suppress(OpsError):
            keys = [item.key for item in self._host.store.list(self._prefix)]
            for key in sorted(keys, key=lambda key: not key.endswith(layout.EXPORT)):
                with contextlib.suppress(OpsError):
                    self._host.store.delete(key)
        _remove_empty_folders(self._host)


def remove_leftovers(host: Host, *, older_than: datetime) -> None:
    """Remove what killed runs left of exports that do not exist: only the holder of the lock makes any here."""
    if not isinstance(host.store, DirectoryStore):
        return
    prefix = layout.exports(host.stack.name)
    exist = set(export_ids(host.catalog))
    host.store.remove_partials(prefix, older_than=older_than)
    for item in list(host.store.list(prefix)):
        if item.key[len(prefix) :].partition("/")[0] not in exist:
            host.store.delete(item.key)
    _remove_empty_folders(host)


def _remove_empty_folders(host: Host) -> None:
    if isinstance(host.store, DirectoryStore):
        for folder in (host.store.directory / layout.exports(host.stack.name)).glob("*"):
            with contextlib.suppress(OSError):  # that of an export that exists is not empty
                folder.rmdir()
