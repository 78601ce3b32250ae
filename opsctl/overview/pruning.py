"""Pruning a repository, by the machine that it belongs to: its own one by a host, those off it by the drill host."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from backup.catalog import Catalog
from backup.retention.decide import Decision, Holdings, Policy
from backup.retention.holdings import Repository, judge, unverified
from backup.retention.prune import Removal, prune, removal
from backup.retention.pruned import newest_pruned
from backup.retention.records import KIND, VERSION, PruneBody
from backup.settings import Repository as RepositorySection
from backup.settings import RetentionSection
from backup.summary import Memory, remember, summaries
from backup.sweep.records import known
from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.locks import lock
from opsctl.core.progress import Progress
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.signing import Signer
from opsctl.overview import wire
from opsctl.settings import Settings
from restore_drill.report import DRILLS


@dataclass(frozen=True)
class Plan:
    """What pruning would do: everything there is, the verdict on each, and what would be deleted."""

    repository: Repository
    holdings: Holdings
    decision: Decision
    removal: Removal


def plan(settings: Settings, name: str | None) -> Plan:
    """Judge a repository; nothing is changed. Raises IntegrityError for a manifest that does not hold: it may need
    anything."""
    chosen = settings.require_repository(name)
    catalog = wire.catalog(settings, chosen.name)
    here = {item.key: item for item in catalog.store.list(f"{catalog.stack}/")}
    proved = frozenset(each.body.backup_id for each in DRILLS.all(catalog) if each.outcome is Outcome.PASSED)
    ledger, where = wire.ledger(settings), catalog.store.where
    repository = Repository(
        catalog,
        here,
        summaries(catalog, here, Memory(settings.machine.state_dir, catalog)),
        proved,
        unverified(ledger, catalog.stack, where),
        known(ledger, catalog.stack, where).bad,
        catalog.newest_head(),
    )
    holdings, decision = judge(repository, policy(chosen.retention or settings.retention))
    what = removal(repository, decision, newest_pruned(catalog, chosen.name), now=utcnow())
    return Plan(repository, holdings, decision, what)


def policy(section: RetentionSection) -> Policy:
    """The policy that the settings describe."""
    return Policy(
        last=section.keep_last,
        daily=section.daily,
        weekly=section.weekly,
        monthly=section.monthly,
        yearly=section.yearly,
        binlog_days=section.binlog_days,
        zone=ZoneInfo(section.zone),
    )


def run(
    settings: Settings, name: str | None, *, confirmed: str | None, progress: Progress, lock_wait_s: float
) -> Record[PruneBody]:
    """Prune a repository whose name the caller repeats; return the record of it, which is in the ledger then.

    Raises SettingsError when it is not this machine's to prune or not confirmed; LockedError; what the stores raise.
    """
    chosen = settings.require_repository(name)
    _require_ours(settings, chosen)
    if confirmed != chosen.name:
        raise SettingsError(
            f"what is pruned from '{chosen.name}' is gone",
            hint=f"look first: --dry-run; then name it: --confirm {chosen.name}",
        )
    started = utcnow()
    catalog = wire.catalog(settings, chosen.name)
    try:
        with _locked(settings, chosen, lock_wait_s):
            done = _prune(settings, chosen, progress, started)
    except OpsError as error:
        body = PruneBody(repository=chosen.name, where=catalog.store.where, error=error.message)
        _record(settings, catalog, started, body, Outcome.FAILED)
        raise
    return _record(settings, catalog, started, done, Outcome.FAILED if done.refused else Outcome.PASSED)


def _prune(settings: Settings, chosen: RepositorySection, progress: Progress, started: datetime) -> PruneBody:
    found = plan(settings, chosen.name)
    decision = found.decision
    progress.step(f"Pruning {chosen.name}", total_bytes=found.removal.size)
    signer = Signer(settings.trust.signing_key)
    catalog = found.repository.catalog
    done = prune(found.repository, found.holdings, decision, name=chosen.name, signer=signer, progress=progress.advance)
    remember(catalog, settings.machine.state_dir)
    return PruneBody(
        repository=chosen.name,
        where=catalog.store.where,
        backups=tuple(verdict.id for verdict in decision.backups if not verdict.stays),
        exports=tuple(verdict.id for verdict in decision.exports if not verdict.stays),
        logs=sum(1 for verdict in decision.logs if not verdict.stays),
        objects=done.objects,
        size=done.size,
        refused=len(done.refused),
    )


def _require_ours(settings: Settings, chosen: RepositorySection) -> None:
    if settings.machine.place == "host" and chosen.off_host:
        raise SettingsError(
            f"'{chosen.name}' lies off this host, which may not delete there: a hijacked one would delete everything",
            hint=f"run it on the drill host: opsctl backup prune --repository {chosen.name}",
        )
    if settings.machine.place == "operator":
        raise SettingsError(
            "this is an operator's machine, which prunes nothing", hint="run it on the host, or on the drill host"
        )


@contextlib.contextmanager
def _locked(settings: Settings, chosen: RepositorySection, wait_s: float) -> Iterator[None]:
    """Keep out what else writes to it from this machine: backups and shipments name things at their end."""
    stack, directory = settings.stack.name, settings.machine.lock_dir
    names = [f"prune-{stack}-{chosen.name}"]
    if chosen is settings.repositories[0]:
        names += [f"backup-{stack}", f"ship-{stack}"]
    with contextlib.ExitStack() as locks:
        for name in names:
            locks.enter_context(lock(directory, name, doing=f"pruning {chosen.name}", wait_s=wait_s))
        yield


def _record(
    settings: Settings, catalog: Catalog, started: datetime, body: PruneBody, outcome: Outcome
) -> Record[PruneBody]:
    record = Record[PruneBody](
        kind=KIND,
        version=VERSION,
        subject=catalog.stack,
        started=started,
        finished=utcnow(),
        outcome=outcome,
        fresh_until=None,
        body=body,
    )
    wire.ledger(settings).append(record)
    return record
