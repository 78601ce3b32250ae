"""Pruning: what retention lets go is deleted, in an order in which a killed run leaves nothing that is named and gone.

First a signed statement of what goes; then each document, with which the thing stops being there; then what it named.
The next run finishes what this one could not: archives that nothing names any more are found by that.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backup import layout
from backup.binlog.lineage import ARCHIVE
from backup.catalog import Catalog
from backup.heads import old_heads
from backup.layout import SIGNATURE
from backup.retention.decide import Decision, Holdings, Verdict
from backup.retention.holdings import RECORD, Listing, Repository
from backup.retention.pruned import Pruned, PrunedLogs, newest_pruned, outdated, publish_pruned
from backup.segment import parse_segment
from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import utcnow
from opsctl.core.failpoints import failpoint
from opsctl.core.signing import Signer
from opsctl.core.store import DeniedError, MissingError, get

# What nothing names may be on its way: a backup, a shipment or a copy in progress, which publishes its document last.
ORPHAN_AGE = timedelta(days=7)
CANARY_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Group:
    """Keys that go together, in this order: the document first, after which the rest is named by nothing.

    When the store refuses the document, nothing else of its `sequence` may go: it would be missed.
    """

    sequence: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Removal:
    """What goes, in order; how many objects and bytes that is; how many of them no document names any more."""

    groups: tuple[Group, ...]
    objects: int
    size: int
    orphans: int


@dataclass
class Done:
    """What a run has deleted: objects and bytes; and keys that the store refused to delete."""

    objects: int = 0
    size: int = 0
    refused: list[str] = field(default_factory=list)


def removal(repository: Repository, decision: Decision, known: Pruned | None, *, now: datetime) -> Removal:
    """All keys that go; nothing that anything needs which stays is ever among them. `known`: what went before."""
    catalog, here = repository.catalog, repository.here
    needed = _needed(repository, decision)
    groups = [
        Group(group.sequence, tuple(key for key in group.keys if key in here and key not in needed))
        for group in _named(catalog, decision, here)
    ]
    named = {key for group in groups for key in group.keys}
    orphans = sorted(_orphans(repository, needed, known, now) - named)
    groups += [*(Group(key, (key,)) for key in orphans), *_outlived(catalog, here, now)]
    keys = [key for group in groups for key in group.keys]
    return Removal(tuple(groups), len(keys), sum(here[key].size for key in keys), len(orphans))


def prune(
    repository: Repository,
    holdings: Holdings,
    decision: Decision,
    *,
    name: str,
    signer: Signer,
    progress: Callable[[int], None] = lambda size: None,
) -> Done:
    """State what goes, then delete it. What the store refuses to delete is left for a later run.

    The caller holds the locks of whatever else writes to this repository. Raises what the store raises otherwise.
    """
    catalog = repository.catalog
    known = newest_pruned(catalog, name)
    what = removal(repository, decision, known, now=utcnow())
    more = Pruned(
        stack=catalog.stack,
        repository=name,
        at=utcnow(),
        backups=_gone(decision.backups),
        logs=tuple(_beginnings(catalog, holdings, decision)),
        exports=_gone(decision.exports),
    )
    if more.backups or more.logs or more.exports:
        publish_pruned(catalog, signer, known, more)
        failpoint("prune.stated")
    done, held = Done(), set()
    for group in (*what.groups, *_by_document(outdated(catalog))):
        if group.sequence not in held and not _delete(repository, group, done, progress):
            held.add(group.sequence)
    return done


def _delete(repository: Repository, group: Group, done: Done, progress: Callable[[int], None]) -> bool:
    """Delete a group; whether its document is gone."""
    for number, key in enumerate(group.keys):
        size = repository.here[key].size if key in repository.here else 0
        progress(size)
        try:
            repository.catalog.store.delete(key)
        except DeniedError:
            done.refused.append(key)
            if number == 0:
                return False
        except MissingError:  # another run was faster
            continue
        else:
            done.objects += 1
            done.size += size
        failpoint("prune.deleted")
    return True


def _gone(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    return tuple(verdict.id for verdict in verdicts if not verdict.stays)


def _needed(repository: Repository, decision: Decision) -> set[str]:
    """Every key that a backup which stays consists of, wherever it lies."""
    stay = {verdict.id for verdict in decision.backups if verdict.stays}
    return {key for backup in repository.backups if backup.id in stay for key in backup.archives}


def _named(catalog: Catalog, decision: Decision, here: Iterable[str]) -> Iterator[Group]:
    """What goes: children before their parents, the logs of a lineage from its beginning on."""
    folders = _folders(here)
    for backup_id in reversed(_gone(decision.backups)):
        keys = folders.get(layout.backup(catalog.stack, backup_id), [])
        yield Group(layout.backups(catalog.stack), _document_first(keys, layout.MANIFEST))
    for record in _gone(decision.logs):
        lineage = record.rpartition("/")[0]
        yield Group(lineage, (record, record + SIGNATURE, record.removesuffix(RECORD) + ARCHIVE))
    for export in _gone(decision.exports):
        folder = f"{layout.exports(catalog.stack)}{export}/"
        yield Group(folder, _document_first(folders.get(folder, []), RECORD))


def _document_first(keys: Sequence[str], ending: str) -> tuple[str, ...]:
    """All keys of a folder: the document, its signature, and the rest."""
    documents = [key for key in keys if key.endswith(ending)]
    first = [each for key in documents for each in (key, key + SIGNATURE)]
    return (*first, *(key for key in keys if key not in first))


def _folders(here: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in here:
        found.setdefault(key.rpartition("/")[0] + "/", []).append(key)
    return found


def _orphans(repository: Repository, needed: set[str], known: Pruned | None, now: datetime) -> set[str]:
    """What nothing names, and was pruned or has had time enough: left by killed runs, or let go by a lock since."""
    stack, here = repository.catalog.stack, repository.here
    documented = {key.rpartition("/")[0] + "/" for key in here if key.endswith(RECORD)}
    logs, heads = layout.segments(stack), layout.heads(stack)
    exist = {layout.backup(stack, backup.id) for backup in repository.backups}
    pruned = {layout.backup(stack, each) for each in known.backups} if known else set()
    found = set()
    for key, stored in here.items():
        folder = key.rpartition("/")[0] + "/"
        if key in needed or (stored.modified > now - ORPHAN_AGE and folder not in pruned):
            continue
        if key.startswith(layout.backups(stack)):
            orphan = folder not in exist
        elif key.startswith(layout.exports(stack)) and folder != layout.exports(stack):
            orphan = folder not in documented
        elif key.startswith(logs) and not key.startswith(heads):
            orphan = not key.endswith(RECORD) and _record_of(key) not in here
        else:
            continue
        if orphan:
            found.add(key)
    return found


def _record_of(key: str) -> str:
    return key.removesuffix(SIGNATURE).removesuffix(RECORD).removesuffix(ARCHIVE) + RECORD


def _outlived(catalog: Catalog, here: Listing, now: datetime) -> Iterator[Group]:
    """Heads that newer ones say everything of, and objects that were there to be attacked."""
    yield from _by_document(old_heads(catalog.stack, here))
    prefix = layout.canaries(catalog.stack)
    for key, stored in here.items():
        if key.startswith(prefix) and stored.modified < now - CANARY_AGE:
            yield Group(key, (key,))


def _by_document(keys: Sequence[str]) -> Iterator[Group]:
    """Documents and their signatures, each pair a group."""
    for document in sorted({key.removesuffix(SIGNATURE) for key in keys}):
        yield Group(document, tuple(key for key in (document, document + SIGNATURE) if key in keys))


def _beginnings(catalog: Catalog, holdings: Holdings, decision: Decision) -> Iterator[PrunedLogs]:
    """How far each lineage goes: by the last of its records that do."""
    going = set(_gone(decision.logs))
    last = {log.place[0]: log.id for log in holdings.logs if log.id in going}
    for key in last.values():
        data = get(catalog.store, key)
        segment = parse_segment(data, key)
        yield PrunedLogs(
            server=segment.server, lineage=segment.lineage, through=segment.number, record=sha256_hex(data)
        )
