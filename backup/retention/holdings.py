"""What a repository holds, as retention sees it: read off its listing and the summaries of its manifests."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backup import layout
from backup.binlog.lineage import holds, name_in, record_order
from backup.catalog import Catalog
from backup.layout import SIGNATURE
from backup.records import VERIFICATION, VerificationBody
from backup.retention.decide import Decision, Holdings, Kept, Log, Place, Policy, decide
from backup.segment import Head, parse_segment
from backup.summary import Summary
from opsctl.core.clock import SKEW, moment_of
from opsctl.core.ledger import Ledger
from opsctl.core.result import Outcome
from opsctl.core.store import LockingStore, Stored, get

RECORD = ".json"
_SEALED = re.compile(r"\.(\d{8}T\d{6})\d{0,6}Z?-[0-9a-f]{8}\.json$")
Listing = Mapping[str, Stored]


@dataclass(frozen=True)
class Repository:
    """A repository looked at once: its objects, its backups, and the ids of those of which a drill passed.

    `unverified` are backups whose last verification failed, `bad` archives that were not what was signed. What `head`,
    the newest, states has to stay: without it the repository would look like one that was rolled back.
    """

    catalog: Catalog
    here: Listing
    backups: Sequence[Summary]
    proved: frozenset[str]
    unverified: frozenset[str]
    bad: frozenset[str]
    head: Head | None


def unverified(ledger: Ledger, stack: str, where: str) -> frozenset[str]:
    """Backups in a repository whose last verification failed."""
    last: dict[str, Outcome] = {}
    for entry in ledger.query(VERIFICATION, stack):
        record = entry.record_of(VerificationBody)
        if record.body.repository == where and record.outcome is not Outcome.COULD_NOT_RUN:
            last[record.body.backup_id] = record.outcome
    return frozenset(backup_id for backup_id, outcome in last.items() if outcome is Outcome.FAILED)


def judge(repository: Repository, policy: Policy) -> tuple[Holdings, Decision]:
    """Decide over all there is, with locks asked for where something would go, and places proved where logs would."""
    holdings = holdings_of(repository)
    while True:
        decision = decide(holdings, policy)
        wrong = {each for each in decision.stands_on if not _stands(repository, holdings, each)}
        locked = _locked(repository, decision)
        if not wrong and not locked:
            return holdings, decision
        holdings = _corrected(holdings, wrong, locked)


def holdings_of(repository: Repository) -> Holdings:
    """Everything, none of it locked as far as a listing tells."""
    catalog, here = repository.catalog, repository.here
    logs = tuple(_stated(catalog, tuple(_logs(catalog.stack, here)), repository.head))
    has_tables = any(each.tables for each in repository.backups)
    named: dict[tuple[int, str], list[Log]] = {}
    for log in logs:
        named.setdefault((_server_id(log.id), name_in(log.id)), []).append(log)
    backups = tuple(
        Kept(
            each.id,
            each.started,
            sound=not (each.id in repository.unverified or repository.bad & each.archives.keys())
            and _is_whole(each, here, has_tables=has_tables),
            parent=each.parent,
            position=_position(each, logs, named),
            proved=each.id in repository.proved,
            stated=repository.head is not None and each.id == repository.head.newest_backup,
        )
        for each in repository.backups
    )
    return Holdings(backups, logs, tuple(_exports(catalog.stack, here)))


def _is_whole(backup: Summary, here: Listing, *, has_tables: bool) -> bool:
    """Whether all archives are there in their sizes, and there is a database in it, if there is in any."""
    whole = all(key in here and here[key].size == size for key, size in backup.archives.items())
    return whole and backup.database_size > 0 and (backup.tables > 0 or not has_tables)


def _logs(stack: str, here: Listing) -> Iterator[Log]:
    """Records in the order of their lineages, and in each in the order of its logs; nothing is read for it."""
    prefix, heads = layout.segments(stack), layout.heads(stack)
    lineages: dict[tuple[str, str], list[str]] = {}
    for key in here:
        if key.startswith(prefix) and key.endswith(RECORD) and not key.startswith(heads):
            server, lineage = key[len(prefix) :].split("/")[:2]
            lineages.setdefault((lineage, server), []).append(key)
    for first, place in enumerate(sorted(lineages)):
        for second, key in enumerate(record_order(lineages[place]), start=1):
            yield Log(key, (first, second), _sealed_at(key, here[key]))


def _stated(catalog: Catalog, logs: Sequence[Log], head: Head | None) -> Iterator[Log]:
    """Mark the one that the head ends with; the last one's own number tells which that is."""
    ours = [log for log in logs if head is not None and head.lineage is not None and f"/{head.lineage}/" in log.id]
    last = parse_segment(get(catalog.store, ours[-1].id), ours[-1].id).number if ours else 0
    stated = ours[head.segments - last - 1].id if head and 0 <= last - head.segments < len(ours) else None
    for log in logs:
        yield replace(log, stated=True) if log.id == stated else log


def _sealed_at(key: str, stored: Stored) -> datetime:
    """When a segment was sealed, by the host's clock, as its key says; else when it arrived."""
    found = _SEALED.search(key)
    return datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if found else stored.modified


def _position(backup: Summary, logs: Sequence[Log], named: Mapping[tuple[int, str], Sequence[Log]]) -> Place | None:
    """Where a backup ends, by the name of its binary log and the time: names come back, so `judge` has it proved."""
    if backup.binlog_file is None or not logs:
        return None
    for log in named.get((backup.server_id, backup.binlog_file), ()):
        if log.sealed_at >= backup.started - SKEW:
            return log.place
    last = logs[-1]
    if _server_id(last.id) == backup.server_id and last.sealed_at <= backup.finished + SKEW:
        return (last.place[0], last.place[1] + 1)  # its log is not sealed yet
    return None


def _server_id(key: str) -> int:
    server = key.split("/")[2]
    digits = server.lstrip("abcdefghijklmnopqrstuvwxyz-")
    return int(digits) if digits.isdigit() else -1


def _exports(stack: str, here: Listing) -> Iterator[Kept]:
    """Folders below `exports` with a signed document in them."""
    prefix = layout.exports(stack)
    folders: dict[str, list[str]] = {}
    for key in here:
        if key.startswith(prefix):
            folders.setdefault(key[len(prefix) :].partition("/")[0], []).append(key)
    for folder, inside in sorted(folders.items()):
        if any(key + SIGNATURE in here for key in inside if key.endswith(RECORD)):
            yield Kept(folder, moment_of(folder), sound=all(here[key].size for key in inside))


def _stands(repository: Repository, holdings: Holdings, backup_id: str) -> bool:
    """Whether the log that a backup is thought to end in is the one: its record is read."""
    place = next(each.position for each in holdings.backups if each.id == backup_id)
    log = next((log for log in holdings.logs if log.place == place), None)
    if log is None:
        return True  # after the end: what comes is not there yet
    catalog = repository.catalog
    return holds(parse_segment(get(catalog.store, log.id), log.id), catalog.manifest(backup_id))


def _locked(repository: Repository, decision: Decision) -> set[str]:
    """What would go and is locked. Asked of each thing's document; an archive locked for longer outlives it unnamed."""
    store, stack = repository.catalog.store, repository.catalog.stack
    if not isinstance(store, LockingStore):
        return set()
    documents = {verdict.id: layout.manifest(stack, verdict.id) for verdict in decision.backups if not verdict.stays}
    documents |= {verdict.id: verdict.id for verdict in decision.logs if not verdict.stays}
    for verdict in decision.exports:
        if not verdict.stays:
            documents[verdict.id] = _document(repository.here, f"{layout.exports(stack)}{verdict.id}/")
    return {thing for thing, key in documents.items() if store.locked_until(key) is not None}


def _document(here: Listing, folder: str) -> str:
    return next(key for key in here if key.startswith(folder) and key.endswith(RECORD))


def _corrected(holdings: Holdings, wrong: set[str], locked: set[str]) -> Holdings:
    def lock(things: Iterable[Kept]) -> tuple[Kept, ...]:
        return tuple(replace(each, locked=each.locked or each.id in locked) for each in things)

    # Older backups that were thought to end in the same log are wrong about it as well.
    places = {each.position: each.id for each in holdings.backups if each.id in wrong}
    backups = lock(holdings.backups)
    return Holdings(
        tuple(replace(each, position=None) if each.id <= places.get(each.position, "") else each for each in backups),
        tuple(replace(log, locked=log.locked or log.id in locked) for log in holdings.logs),
        lock(holdings.exports),
    )
