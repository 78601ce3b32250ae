"""One import, from an export to a row in the audit log."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from opsctl.core.clock import utcnow
from opsctl.core.errors import LockedError, SettingsError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.merkle import Tree
from opsctl.core.store.directory import DirectoryStore
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.importing.batch import Batch, Writer
from vault.importing.linked import attachments_root
from vault.importing.media import Medium, keep
from vault.importing.source import Export, open_export, spelled
from vault.whatsapp.lines import Line, read_lines
from vault.whatsapp.message import Leftover, Message, digest
from vault.whatsapp.parse import parse
from vault.whatsapp.survey import DateOrder, Survey, survey

BATCH_MESSAGES = 2000
BATCH_BYTES = 2 << 20
ADVANCE_BYTES = 1 << 16
MOST_SHOWN = 100
# Whatever another import writes at this moment is younger.
LEFT_BY_KILLED = timedelta(days=1)
NOBODY_KNOWS = Medium(b"", 0, "", False)


@dataclass(frozen=True)
class Request:
    """What to import into which chat. `zone` is where the phone was that made the export."""

    path: Path
    chat: str
    zone: str
    actor: str
    origin: str
    order: DateOrder | None = None


@dataclass(frozen=True)
class Unparsed:
    """A line that is in no message, or looks as if it should not be."""

    line: int
    text: str
    why: str


@dataclass(frozen=True)
class Imported:
    """What an import did. `root` is the RFC 6962 root over the digests of all messages of the export, in its order."""

    import_id: int
    audit_seq: int
    resumed: bool
    order: DateOrder
    parsed: int
    added: int
    unparsed: int
    first_unparsed: tuple[Unparsed, ...]
    media_added: int
    media_missing: int
    first_missing: tuple[str, ...]
    media_unnamed: int
    root: bytes
    attachments_root: bytes


def import_export(vault: Vault, request: Request, *, lock_wait_s: float = 0.0) -> Imported:
    """Import an export. Doing it again adds nothing; after an interruption it goes on where it was.

    Raises SettingsError when the order of dates cannot be told, or the chat is of another zone; LockedError when
    another import into the same chat runs; HostileZipError.
    """
    zone = _zone(request.zone)
    if not 0 < len(request.chat) <= 255:
        raise SettingsError("the name of a chat has 1 to 255 characters")
    export = open_export(request.path)
    with contextlib.closing(export.source), vault.connect(Role.IMPORTER) as connection:
        vault.progress.step("looking at the whole export", total_bytes=export.text_bytes())
        with export.open_text() as stream:
            found = survey(_counted(vault, read_lines(stream)), order=request.order)
        chat_id = _chat(connection, request)
        with _alone(connection, vault, chat_id, request.chat, lock_wait_s):
            return _Run(vault, connection, export, found, request, chat_id).run(zone)


@dataclass
class _Run:
    """An import under way."""

    vault: Vault
    connection: Connection
    export: Export
    found: Survey
    request: Request
    chat: int
    tree: Tree = field(default_factory=Tree)
    parsed: int = 0
    unparsed: int = 0
    first_unparsed: list[Unparsed] = field(default_factory=list)
    missing: int = 0
    first_missing: list[str] = field(default_factory=list)

    def run(self, zone: ZoneInfo) -> Imported:
        import_id, resumed = self._begin()
        media = self._keep_media(import_id)
        writer = Writer(self.connection, self.chat, import_id, media)
        done = self._line("SELECT MAX(line_no) FROM import_messages WHERE import_id = %s", import_id)
        told = self._line("SELECT MAX(line_no) FROM unparsed_lines WHERE import_id = %s", import_id)
        self.vault.progress.step("importing messages", total_bytes=self.export.text_bytes())
        batch, writing = Batch(), None
        # The server writes one batch while the next one is read: a core for each.
        with self.export.open_text() as stream, ThreadPoolExecutor(1) as beside:
            for item in parse(_counted(self.vault, read_lines(stream)), self.found, zone):
                self._take(batch, item, done, told, media)
                if len(batch.messages) >= BATCH_MESSAGES or batch.size >= BATCH_BYTES:
                    if writing is not None:
                        writing.result()
                    writing, batch = beside.submit(writer.write, batch), Batch()
            if writing is not None:
                writing.result()
            writer.write(batch)
        return self._finish(import_id, resumed)

    def _take(self, batch: Batch, item: Message | Leftover, done: int, told: int, media: dict[str, Medium]) -> None:
        """Count an item, and put it into the batch unless an interrupted run has written it."""
        if isinstance(item, Leftover):
            self.unparsed += 1
            if len(self.first_unparsed) < MOST_SHOWN:
                self.first_unparsed.append(Unparsed(item.line, item.raw.decode(errors="replace"), item.why))
            if item.line > told:
                batch.add(item, None)
            return
        leaf = digest(self.request.chat, item)
        self.tree.append(leaf)
        self.parsed += 1
        if item.attachment and spelled(item.attachment) not in media:
            self.missing += 1
            if len(self.first_missing) < MOST_SHOWN:
                self.first_missing.append(item.attachment)
        if item.line > done:
            batch.add(item, leaf)

    def _begin(self) -> tuple[int, bool]:
        """Note the import, or find the one that was interrupted."""
        find = (
            "SELECT i.id FROM imports i LEFT JOIN import_results r ON r.import_id = i.id"
            " WHERE i.chat_id = %s AND i.source_sha256 = _binary %s AND i.date_order = %s AND r.import_id IS NULL"
            " ORDER BY i.id DESC LIMIT 1"
        )
        order = self.found.order.value
        interrupted = rows(self.connection, find, self.chat, self.export.sha256, order)
        if interrupted:
            return int(interrupted[0][0]), True
        note = (
            "INSERT INTO imports (chat_id, source_name, source_sha256, date_order, started_at)"
            " VALUES (%s, %s, _binary %s, %s, %s)"
        )
        values = (self.chat, self.export.where[-255:], self.export.sha256, order, _now())
        with self.connection.cursor() as cursor:
            cursor.execute(note, values)
            return int(cursor.lastrowid), False

    def _keep_media(self, import_id: int) -> dict[str, Medium]:
        files = self.export.media()
        if not files:
            return {}
        sizes = self.export.source.sizes()
        self.vault.progress.step("keeping media", total_bytes=sum(sizes[name] for name in files))
        store = DirectoryStore(self.vault.settings.media_dir)
        store.remove_partials("", older_than=utcnow() - LEFT_BY_KILLED)
        kept: dict[str, Medium] = {}
        for name, shown in files.items():
            medium = keep(store, self.export, name, shown)
            # Of two files with one name nobody can say which a message means.
            kept[shown] = medium if shown not in kept or kept[shown].sha256 == medium.sha256 else NOBODY_KNOWS
            rows(
                self.connection,
                "INSERT IGNORE INTO media (sha256, bytes, first_name, import_id) VALUES (_binary %s, %s, %s, %s)",
                *(medium.sha256, medium.size, shown[:255], import_id),
            )
            self.vault.progress.advance(medium.size)
        return {shown: medium for shown, medium in kept.items() if medium is not NOBODY_KNOWS}

    def _line(self, statement: str, import_id: int) -> int:
        return int(rows(self.connection, statement, import_id)[0][0] or 0)

    def _finish(self, import_id: int, resumed: bool) -> Imported:
        count = "SELECT COUNT(*) FROM {} WHERE import_id = %s"
        added = self._line(count.format("messages"), import_id)
        media_added = self._line(count.format("media"), import_id)
        attachments = attachments_root(self.connection, import_id)
        linked = "SELECT COUNT(DISTINCT sha256) FROM attachments a JOIN import_messages h USING (message_id)"
        named = self._line(f"{linked} WHERE h.import_id = %s", import_id)
        done = Imported(
            *(import_id, 0, resumed, self.found.order, self.parsed, added, self.unparsed),
            *(tuple(self.first_unparsed), media_added, self.missing, tuple(self.first_missing)),
            *(max(0, len(self.export.media()) - named), self.tree.root(), attachments),
        )
        self.connection.begin()
        seq = audit.append(self.connection, self._event(done))
        rows(
            self.connection,
            "INSERT INTO import_results (import_id, finished_at, parsed, added, unparsed, media_added, media_missing,"
            " root, attachments_root, audit_seq) VALUES (%s, %s, %s, %s, %s, %s, %s, _binary %s, _binary %s, %s)",
            *(import_id, _now(), done.parsed, done.added, done.unparsed, done.media_added, done.media_missing),
            *(done.root, done.attachments_root, seq),
        )
        failpoint("vault.import.result")
        self.connection.commit()
        return Imported(**{**vars(done), "audit_seq": seq})

    def _event(self, done: Imported) -> audit.Event:
        return audit.Event(
            action="vault.import",
            actor=self.request.actor,
            at=utcnow(),
            origin=self.request.origin,
            subject=self.request.chat,
            details={
                "import": done.import_id,
                "source": self.export.where,
                "sha256": self.export.sha256.hex(),
                "zone": self.request.zone,
                "date_order": done.order.value,
                "parsed": done.parsed,
                "added": done.added,
                "unparsed": done.unparsed,
                "media_added": done.media_added,
                "media_missing": done.media_missing,
                "root": done.root.hex(),
                "attachments_root": done.attachments_root.hex(),
            },
        )


def _chat(connection: Connection, request: Request) -> int:
    rows(
        connection,
        "INSERT IGNORE INTO chats (name, zone, created_at) VALUES (%s, %s, %s)",
        *(request.chat, request.zone, _now()),
    )
    number, zone = rows(connection, "SELECT id, zone FROM chats WHERE name = %s", request.chat)[0]
    if zone != request.zone:
        raise SettingsError(
            f"the chat '{request.chat}' is kept in the zone {zone}, this export would be in {request.zone}",
            hint=f"--zone {zone}, or another name for the chat",
        )
    return int(number)


@contextlib.contextmanager
def _alone(connection: Connection, vault: Vault, chat_id: int, chat: str, wait_s: float) -> Iterator[None]:
    """Let one import at a time into a chat; the lock ends with the connection, however that ends."""
    name = f"opsctl-import-{vault.database}-{chat_id}"
    if rows(connection, "SELECT GET_LOCK(%s, %s)", name, wait_s) != ((1,),):
        raise LockedError(f"another import into '{chat}' runs", hint="wait for it: --lock-wait 600")
    yield
    rows(connection, "SELECT RELEASE_LOCK(%s)", name)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise SettingsError(f"there is no time zone '{name}'", hint="write it like Asia/Kolkata") from None


def _counted(vault: Vault, lines: Iterator[Line]) -> Iterator[Line]:
    count = 0
    for line in lines:
        count += len(line.text) + 1
        if count > ADVANCE_BYTES:
            vault.progress.advance(count)
            count = 0
        yield line
    vault.progress.advance(count)


def _now() -> datetime:
    return utcnow().replace(tzinfo=None)
