"""After an older copy of the vault was restored: a new log that says what the old one was and what of it is lost.

The old rows move to `audit_archive` as they are. The new log's first row names the old log's id, size and root, the
newest checkpoint of it, how many rows are lost, and other logs of which nothing is left but their checkpoints. What
reads and checks that is lineage.py. A renewal that was killed is finished by the next.
"""

from functools import partial

from pydantic import JsonValue

from opsctl.core.clock import iso, utcnow
from opsctl.core.errors import OpsError
from opsctl.core.failpoints import failpoint
from opsctl.core.mariadb.connect import Connection, rows
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.migrate import reapply
from vault.verify.checkpoints import Custody
from vault.verify.lineage import ACTION, OnServer, first_of_ended, replaced, trace, unnamed_logs

_TABLES = ("audit", "audit_head", "audit_log")


def renew(vault: Vault, custody: Custody, *, actor: str, origin: str, reason: str) -> bytes:
    """Archive the log and begin a new one; return the new log's id.

    The rows are in the archive before anything is taken away. Raises OpsError when there is no log to renew.
    """
    with vault.connect(Role.ADMIN) as connection:
        old = _ended(connection)
        rows(
            connection,
            "INSERT IGNORE INTO audit_archive (log_id, seq, prev_hash, row_hash, payload)"
            " SELECT l.log_id, a.seq, a.prev_hash, a.row_hash, a.payload FROM audit a JOIN audit_log l",
        )
        failpoint("vault.renew.archived")
        details = _describe(connection, vault, custody, old)
        for table in _TABLES:
            rows(connection, f"TRUNCATE {table}")
            failpoint(f"vault.renew.{table}")
        reapply(connection, versions=(1, 2))
        failpoint("vault.renew.begun")
        event = audit.Event(
            action=ACTION, actor=actor, at=utcnow(), origin=origin, details={"reason": reason, **details}
        )
        audit.append(connection, event)
        return audit.log_id(connection) or b""


def _ended(connection: Connection) -> bytes:
    """The log to replace: the one with rows, or the one whose rows an interrupted renewal has archived already."""
    current = audit.log_id(connection)
    archived = {bytes(found[0]) for found in rows(connection, "SELECT DISTINCT log_id FROM audit_archive")}
    if current is not None and (audit.last_seq(connection) or current in archived):
        return current
    before = [replaced(first_of_ended(connection, log_id)) for log_id in archived]
    named = {details["old_log"] for details in before if details is not None}
    last = [log_id for log_id in archived if log_id.hex() not in named]
    if len(last) != 1 and current is None:
        raise OpsError("the vault has no audit log to renew", hint="opsctl vault init")
    return last[0] if len(last) == 1 else current or b""


def _describe(connection: Connection, vault: Vault, custody: Custody, old: bytes) -> dict[str, JsonValue]:
    """What the new log says of the old one, from the archive and from its checkpoints."""
    source = OnServer(connection, partial(vault.connect, Role.ADMIN))
    statement = "SELECT COALESCE(MAX(seq), 0) FROM audit_archive WHERE log_id = _binary %s"
    tree = source.walk_ended(old, int(rows(connection, statement, old)[0][0]), []).tree
    notes = custody.notes(old)
    newest = notes[-1].checkpoint if notes else None
    named = trace(source, custody, old, deep=False, ended=True).named
    return {
        "old_log": old.hex(),
        "old_size": tree.size,
        "old_root": tree.root().hex(),
        "lost": 0 if newest is None else max(0, newest.size - tree.size),
        "checkpoint": None
        if newest is None
        else {"size": newest.size, "root": newest.root.hex(), "at": iso(newest.at)},
        "lost_logs": dict(unnamed_logs(custody, named)),
    }
