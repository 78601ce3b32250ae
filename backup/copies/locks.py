"""Locks on copies: everything that a backup needs stays locked for as long as the backup itself.

What a backup needs may be older than it: its parents, and files that did not change since. Their own locks end first.
"""

from datetime import datetime, timedelta

from backup import layout
from backup.catalog import Catalog
from backup.chain import chain_of, needed_keys
from opsctl.core.clock import utcnow
from opsctl.core.store import LockingStore


def extend_locks(catalog: Catalog, backup_id: str, store: LockingStore, retain: timedelta) -> int:
    """Lock all that a backup needs for `retain` from now on; return the number of objects. `catalog` may be of another
    copy. Raises DeniedError and what else the store raises."""
    until = utcnow() + retain
    keys = needed_keys(chain_of(catalog, backup_id))
    for key in sorted(keys):
        store.extend_lock(key, until)
    return len(keys)


def due_again(catalog: Catalog, backup_id: str, store: LockingStore, retain: timedelta) -> bool:
    """Whether half of a backup's time is over, as happens to the newest when no other comes after it."""
    until = store.locked_until(layout.manifest(catalog.stack, backup_id))
    return until is None or until < utcnow() + retain / 2


def locked_until(catalog: Catalog, backup_id: str, store: LockingStore) -> datetime | None:
    """Until when nobody can delete any of what a backup needs (UTC); None when something of it is not locked."""
    times = [store.locked_until(key) for key in needed_keys(chain_of(catalog, backup_id))]
    return None if None in times else min(time for time in times if time is not None)
