"""After an older copy of the vault was restored: a new log that says what the old one was and what of it is lost.

The old rows move to `audit_archive` as they are. The new log's first row names the old log's id, size and root, the
newest checkpoint of it, and how many rows are lost; verification holds the archived rows against that.
"""

import json
from dataclasses import dataclass

from opsctl.core.chain import Break
from opsctl.core.checkpoint import Checkpoint
from opsctl.core.clock import iso, utcnow
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.merkle import Tree
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.migrate import reapply
from vault.verify.block import BLOCK, BlockChecker, grow
from vault.verify.rows import prepare, read_range

ACTION = "log.restored"


@dataclass(frozen=True)
class Renewed:
    """What a renewed log says of the one before: its id and size, the rows lost; `broken` when the archive differs."""

    old_log: bytes
    old_size: int
    old_root: bytes
    lost: int
    broken: Break | None


def renewal(connection: Connection, log_id: bytes) -> Renewed | None:
    """What the log's first row says, checked against the archive; None for a log that replaced none."""
    first = [audit.parse(row) for row in audit.read(connection, first=1, last=1)]
    if not first or first[0].event is None or first[0].event.action != ACTION:
        return None
    details = first[0].event.details
    old = bytes.fromhex(str(details["old_log"]))
    size, root = int(str(details["old_size"])), bytes.fromhex(str(details["old_root"]))
    found = _archived(connection, old, size)
    broken = None
    if found.root() != root or found.size != size:
        broken = Break(1, f"the log before this one had {size} rows; those in the archive are not all the same")
    return Renewed(old, size, root, int(str(details["lost"])), broken)


def _archived(connection: Connection, old: bytes, size: int) -> Tree:
    prepare(connection)
    tree = Tree()
    for first in range(1, size + 1, BLOCK):
        checker = BlockChecker(old, first, ())
        last = min(first + BLOCK - 1, size)
        for data in read_range(connection, first, last, archive=old):
            checker.feed(data)
        grow(tree, checker.result().nodes)
    return tree


def renew(vault: Vault, tree: Tree, newest: Checkpoint | None, *, actor: str, origin: str, reason: str) -> bytes:
    """Archive the log and begin a new one; return the new log's id.

    `tree` is of the rows that are there, `newest` the newest checkpoint of them and of what is lost. The rows are in
    the archive before anything is taken away.
    """
    event = audit.Event(
        action=ACTION,
        actor=actor,
        at=utcnow(),
        origin=origin,
        details={
            "reason": reason,
            "old_size": tree.size,
            "old_root": tree.root().hex(),
            "lost": 0 if newest is None else max(0, newest.size - tree.size),
            "checkpoint": None if newest is None else json.loads(_described(newest)),
        },
    )
    with vault.connect(Role.ADMIN) as connection:
        old = audit.log_id(connection)
        rows(
            connection,
            "INSERT IGNORE INTO audit_archive (log_id, seq, prev_hash, row_hash, payload)"
            " SELECT l.log_id, a.seq, a.prev_hash, a.row_hash, a.payload FROM audit a JOIN audit_log l",
        )
        for table in ("audit", "audit_head", "audit_log"):
            rows(connection, f"TRUNCATE {table}")
        reapply(connection, versions=(1, 2))
        fresh = audit.log_id(connection)
        details = {**event.details, "old_log": "" if old is None else old.hex()}
        audit.append(connection, event.model_copy(update={"details": details}))
    return fresh or b""


def _described(checkpoint: Checkpoint) -> str:
    return json.dumps({"size": checkpoint.size, "root": checkpoint.root.hex(), "at": iso(checkpoint.at)})
