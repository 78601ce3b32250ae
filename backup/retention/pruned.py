"""What was pruned from a repository, signed, so that nobody who remembers it takes pruning for a loss or a rollback.

It is published before anything is deleted and says everything that was ever pruned there; so the newest one suffices,
and what a killed run has left to delete is known. It counts only for the repository that it names: a copy of it, laid
into another, explains nothing there. And it never explains that the end of anything is missing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from backup import layout
from backup.binlog.ids import id_at, moment_after
from backup.catalog import Catalog
from backup.documents import fetch, publish
from backup.layout import SIGNATURE
from backup.manifest import Part
from opsctl.core.canonical import parse_versioned
from opsctl.core.errors import IntegrityError
from opsctl.core.signing import Namespace, Signer
from opsctl.core.store import Store, get

VERSION = 1
KEPT = 8
DOCUMENT = ".json"


class PrunedLogs(Part):
    """A lineage whose beginning was pruned: `through` is the number of the last segment that went, `record` the SHA-256
    of its record."""

    server: str
    lineage: str
    through: int
    record: str


class Pruned(Part):
    """Everything that was ever pruned from one repository: ids of backups and exports, beginnings of lineages.

    `repository` is its name in the settings of the machine that prunes it, which all machines have to share.
    """

    format: Literal["opsctl-pruned"] = "opsctl-pruned"
    version: int = VERSION
    stack: str
    repository: str
    at: datetime
    backups: tuple[str, ...] = ()
    logs: tuple[PrunedLogs, ...] = ()
    exports: tuple[str, ...] = ()

    def through(self, server: str, lineage: str) -> PrunedLogs | None:
        """How far a lineage was pruned."""
        return next((logs for logs in self.logs if (logs.server, logs.lineage) == (server, lineage)), None)

    def explains_beginning(self, server: str, lineage: str, *, first: int, previous: str) -> bool:
        """Whether a lineage may begin with segment `first`, whose record names `previous` as the hash before it."""
        logs = self.through(server, lineage)
        if logs is None or logs.through < first - 1:
            return False
        return logs.through > first - 1 or logs.record == previous

    def explains_segment(self, server: str, lineage: str, *, number: int, record: str) -> bool:
        """Whether a segment with this number and hash may be missing."""
        logs = self.through(server, lineage)
        if logs is None or logs.through < number:
            return False
        return logs.through > number or logs.record == record


def newest_pruned(catalog: Catalog, repository: str) -> Pruned | None:
    """What was pruned from this repository; None when nothing was. Raises IntegrityError for what is not signed, or is
    another repository's."""
    names = _names(catalog.store, catalog.stack)
    if not names:
        return None
    key = f"{layout.prunes(catalog.stack)}{names[-1]}{DOCUMENT}"
    found = parse_versioned(Pruned, get(catalog.store, key), what=key, version=VERSION)
    fetch(catalog.store, catalog.verifier, Namespace.PRUNE, key, at=found.at)
    if (found.stack, found.repository) != (catalog.stack, repository):
        raise IntegrityError(
            f"{key} says what was pruned from '{found.repository}' of {found.stack}, and this is '{repository}'",
            where=catalog.store.where,
            hint="every machine has to give a repository the same name; if they do, somebody has laid it here",
        )
    return found


def publish_pruned(catalog: Catalog, signer: Signer, known: Pruned | None, more: Pruned) -> Pruned:
    """Sign and publish what was pruned so far and is about to be, before anything is deleted."""
    names = _names(catalog.store, catalog.stack)
    merged = more if known is None else _merged(known, more)
    merged = merged.model_copy(update={"at": moment_after(names[-1] if names else None)})
    key = f"{layout.prunes(catalog.stack)}{id_at(merged.at)}{DOCUMENT}"
    publish(catalog.store, signer, Namespace.PRUNE, key, merged)
    return merged


def outdated(catalog: Catalog) -> list[str]:
    """Keys of older ones, which the newest says all of; each document before its signature."""
    prefix = layout.prunes(catalog.stack)
    old = _names(catalog.store, catalog.stack)[:-KEPT]
    there = {item.key for item in catalog.store.list(prefix)}
    keys = (f"{prefix}{name}{ending}" for name in old for ending in (DOCUMENT, DOCUMENT + SIGNATURE))
    return [key for key in keys if key in there]


def _merged(known: Pruned, more: Pruned) -> Pruned:
    logs = {(each.server, each.lineage): each for each in known.logs}
    for each in more.logs:
        before = logs.get((each.server, each.lineage))
        if before is None or before.through < each.through:
            logs[each.server, each.lineage] = each
    return more.model_copy(
        update={
            "backups": _union(known.backups, more.backups),
            "exports": _union(known.exports, more.exports),
            "logs": tuple(logs[place] for place in sorted(logs)),
        }
    )


def _union(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def _names(store: Store, stack: str) -> list[str]:
    """Ids of all that are complete, oldest first."""
    prefix = layout.prunes(stack)
    keys = [item.key for item in store.list(prefix, ending=DOCUMENT)]
    return sorted(key[len(prefix) : -len(DOCUMENT)] for key in keys)
