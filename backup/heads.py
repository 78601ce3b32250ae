"""Heads: signed statements of how far a repository reaches, so that one that was rolled back is recognised."""

from collections.abc import Iterable

from backup import layout
from backup.binlog.ids import id_at, moment_after
from backup.binlog.lineage import newest_end
from backup.context import Host
from backup.documents import publish
from backup.segment import NO_RECORD, Head
from opsctl.core.locks import lock
from opsctl.core.signing import Namespace
from opsctl.core.store import Store

# A head says everything that the older ones said, and a verifier remembers the newest it has seen by itself; the older
# ones only grow the repository, by a hundred files a day. Some stay, so that copying and reading never race deletion.
KEPT = 32
LOCK_WAIT_S = 60.0
DOCUMENT = ".json"


def publish_head(host: Host) -> Head:
    """State what the repository holds now, publish it, remove all but the newest `KEPT` heads.

    Shipping and backups both call it; a lock of its own keeps an older look at the repository from being stated last.
    Raises StoreError, AuthError, LockedError, IntegrityError when the newest record does not hold.
    """
    stack = host.stack.name
    with lock(host.machine.lock_dir, f"head-{stack}", doing="stating what the repository holds", wait_s=LOCK_WAIT_S):
        names = _names(host.store, stack)
        end = newest_end(host.catalog)
        backups = host.catalog.backup_ids()
        moment = moment_after(names[-1] if names else None)
        head = Head(
            stack=stack,
            at=moment,
            server=end.segment.server if end else None,
            lineage=end.segment.lineage if end else None,
            segments=end.segment.number if end else 0,
            last_record=end.record_sha256 if end else NO_RECORD,
            newest_backup=backups[-1] if backups else None,
        )
        key = f"{layout.heads(stack)}{id_at(moment)}{DOCUMENT}"
        publish(host.store, host.signer, Namespace.SEGMENT, key, head)
        _remove_old(host.store, stack)
        return head


def _names(store: Store, stack: str) -> list[str]:
    """The ids of all heads, and of what a killed run left of one, oldest first."""
    prefix = layout.heads(stack)
    return sorted({item.key[len(prefix) :].partition(".")[0] for item in store.list(prefix)})


def old_heads(stack: str, keys: Iterable[str]) -> list[str]:
    """Those of these keys that belong to all but the newest `KEPT` heads, each head before its signature, so that none
    is ever seen without."""
    prefix = layout.heads(stack)
    heads = sorted(key for key in keys if key.startswith(prefix))
    names = sorted({key[len(prefix) :].partition(".")[0] for key in heads})
    old = set(names[:-KEPT])
    return [key for key in heads if key[len(prefix) :].partition(".")[0] in old]


def _remove_old(store: Store, stack: str) -> None:
    for key in old_heads(stack, [item.key for item in store.list(layout.heads(stack))]):
        store.delete(key)
