"""Are the messages and files in the archive those that the audit log says were imported.

The log holds, for each import, the root over the digests of its messages and the root over the files that it linked.
The digests stay when messages are erased, so the first can always be computed again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from hashlib import sha256
from typing import Any

from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.merkle import Tree
from opsctl.core.progress import Progress
from opsctl.core.store import MissingError, Store
from vault import audit
from vault.importing.linked import attachments_root
from vault.importing.media import media_key
from vault.whatsapp.message import Kind, Message, digest

STEP = 5000
CHUNK = 1 << 20
MOST_SHOWN = 100

_MESSAGES = (
    "SELECT m.id, c.name, m.sent_local, p.name, m.kind, m.attachment, m.body, m.digest FROM messages m"
    " JOIN chats c ON c.id = m.chat_id LEFT JOIN participants p ON p.id = m.sender_id"
    " WHERE m.id > %s ORDER BY m.id LIMIT %s"
)
_HELD = "SELECT line_no, digest FROM import_messages WHERE import_id = %s AND line_no > %s ORDER BY line_no LIMIT %s"
# A message that is no longer there, and an import that holds it, were both noted when it came.
_STRAY = (
    "SELECT m.id FROM messages m LEFT JOIN import_messages h ON h.message_id = m.id AND h.import_id = m.import_id"
    " WHERE h.digest IS NULL OR h.digest <> m.digest LIMIT 100"
)


@dataclass
class ArchiveState:
    """What was compared, and the first hundred differences as sentences."""

    messages: int = 0
    imports: int = 0
    media: int = 0
    faults: int = 0
    first_faults: list[str] = field(default_factory=list)

    def fault(self, what: str) -> None:
        """Note a difference."""
        self.faults += 1
        if len(self.first_faults) < MOST_SHOWN:
            self.first_faults.append(what)


def verify_archive(connection: Connection, media: Store, progress: Progress) -> ArchiveState:
    """Compare everything; memory does not grow with the archive."""
    state = ArchiveState()
    progress.step("comparing messages with their digests")
    for number, chat, sent, sender, kind, attachment, body, expected in _messages(connection):
        message = Message(0, sent.replace(tzinfo=UTC), sender, Kind(kind), body, attachment)
        state.messages += 1
        if digest(chat, message) != bytes(expected):
            state.fault(f"message {number} is not what was imported")
    for (number,) in rows(connection, _STRAY):
        state.fault(f"message {number} was put in, or changed, without an import")
    progress.step("comparing imports with the audit log")
    _imports(connection, state)
    progress.step("comparing media with their hashes")
    for expected, size, name in rows(connection, "SELECT sha256, bytes, first_name FROM media"):
        state.media += 1
        if problem := _medium(media, bytes(expected), size):
            state.fault(f"'{name}' {problem}")
    return state


def _messages(connection: Connection) -> Iterator[tuple[Any, ...]]:
    last = 0
    while found := rows(connection, _MESSAGES, last, STEP):
        yield from found
        last = found[-1][0]


def _imports(connection: Connection, state: ArchiveState) -> None:
    for number, seq in rows(connection, "SELECT import_id, audit_seq FROM import_results ORDER BY import_id"):
        state.imports += 1
        found = [audit.parse(row).event for row in audit.read(connection, first=seq, last=seq)]
        event = found[0] if found else None
        if event is None or event.action != "vault.import" or event.details.get("import") != number:
            state.fault(f"import {number} is not in row {seq} of the audit log")
            continue
        if event.details.get("root") != _root(connection, number).hex():
            state.fault(f"import {number} had other messages than those that the audit log says")
        if event.details.get("attachments_root") != attachments_root(connection, number).hex():
            state.fault(f"import {number} linked other files than those that the audit log says")


def _root(connection: Connection, number: int) -> bytes:
    tree, last = Tree(), 0
    while found := rows(connection, _HELD, number, last, STEP):
        for _, leaf in found:
            tree.append(bytes(leaf))
        last = found[-1][0]
    return tree.root()


def _medium(store: Store, expected: bytes, size: int) -> str | None:
    """What is wrong with a file; None when it is as it was."""
    found, count = sha256(), 0
    try:
        with store.open(media_key(expected)) as stream:
            while chunk := stream.read(CHUNK):
                found.update(chunk)
                count += len(chunk)
    except MissingError:
        return "is not in the media directory"
    return None if (found.digest(), count) == (expected, size) else "is not what was imported"
