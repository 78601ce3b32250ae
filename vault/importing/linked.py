"""The files that an import has linked with messages, as one hash."""

from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.merkle import Tree


def attachments_root(connection: Connection, number: int) -> bytes:
    """The root over (digest of the message, SHA-256 of the file) of every file that an import has linked."""
    tree = Tree()
    statement = (
        "SELECT m.digest, a.sha256 FROM attachments a JOIN messages m ON m.id = a.message_id"
        " WHERE a.import_id = %s ORDER BY a.message_id, a.sha256"
    )
    for message, medium in rows(connection, statement, number):
        tree.append(bytes(message) + bytes(medium))
    return tree.root()
