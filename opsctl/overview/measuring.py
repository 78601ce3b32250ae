"""Builds what rules are fed with from the settings: every source there is on this machine."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path

from anomaly_rules.collect import Limits
from anomaly_rules.collectors import Collector, crm, wordpress
from anomaly_rules.collectors import mariadb as server_looks
from anomaly_rules.collectors import records as look_at
from anomaly_rules.collectors.ai_calls import CallLog
from anomaly_rules.collectors.bigquery import BigQueryBill
from anomaly_rules.collectors.chains import ChainLook, State
from anomaly_rules.collectors.costs import CostFiles
from anomaly_rules.collectors.database import Database
from anomaly_rules.collectors.host import Certificates, Clock, Disks, SecurityUpdates
from anomaly_rules.collectors.journal import FailedLogins, Journal, Restarts
from anomaly_rules.collectors.query import Query
from anomaly_rules.collectors.queue import Queue
from anomaly_rules.collectors.records import AnyRecord, Gaps, RecordsLook
from anomaly_rules.collectors.rows import RowCounts
from anomaly_rules.settings import (
    AiCalls,
    BigQueryExport,
    CostExport,
    CrmSource,
    QuerySource,
    QueueSource,
    SourceSection,
    TableSource,
    WordPressSource,
)
from anomaly_rules.store import SampleStore
from anomaly_rules.stored import StoredSamples
from backup import layout
from backup.checkpoints import LOG, verify_ledger
from opsctl.core.clock import moment_of, utcnow
from opsctl.core.errors import SettingsError
from opsctl.core.record import Record
from opsctl.core.runner import LocalRunner
from opsctl.core.verdict import Verdict
from opsctl.overview import wire
from opsctl.settings import Settings
from opsctl.stack.nginx import Directive, read_nginx
from opsctl.stack.rooted import below, resolve
from restore_drill.report import DRILLS
from vault.verify import checkpoints as vault_checkpoints
from vault.verify.record import KIND as VAULT_VERIFICATION
from vault.verify.record import VerificationBody as VaultVerification

SAMPLES_FILE = "samples.sqlite"
_LEDGER_REACH = timedelta(days=400)
_SYSTEMD = Path("/run/systemd/system")
_APT_LISTS = Path("/var/lib/apt/lists")


def samples(settings: Settings) -> StoredSamples:
    """What was measured here."""
    return StoredSamples(store(settings), collectors(settings))


def store(settings: Settings) -> SampleStore:
    """Where it is kept."""
    return SampleStore(settings.machine.state_dir / SAMPLES_FILE)


def limits(settings: Settings) -> Limits:
    """How much is kept."""
    return Limits(settings.anomalies.max_labels, settings.anomalies.keep_days)


def collectors(settings: Settings) -> tuple[Collector, ...]:
    """Every source of this machine. Raises SettingsError for two of the same name."""
    found = (*_records(settings), *_chains(settings), *_host(settings), *_server(settings), *_sources(settings))
    names = [collector.name for collector in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"there are two sources named '{twice[0]}'", hint="give each of [[sources]] another name")
    return found


def _records(settings: Settings) -> Iterator[Collector]:
    @cache
    def ledger() -> tuple[AnyRecord, ...]:
        return tuple(entry.record() for entry in wire.ledger(settings).query(since=utcnow() - _LEDGER_REACH))

    if settings.backup is not None:
        yield RecordsLook("backups", ledger, (look_at.BACKUP_OVERDUE, look_at.BACKUP_CHANGE), look_at.backups)
    if settings.backup is not None and settings.database is not None:
        yield RecordsLook("shipments of binary logs", ledger, (look_at.SHIPPING_OVERDUE,), look_at.shipments)
        yield Gaps(ledger)
    others = [repository.name for repository in settings.repositories[1:]]
    if settings.backup is not None and others:
        yield RecordsLook("copies", ledger, (look_at.COPY_LAG,), look_at.copies_to(others))
    if settings.repositories:
        drilled = (look_at.DRILL_OVERDUE, look_at.RECOVERY_TIME, look_at.RECOVERY_POINT)
        yield RecordsLook("drills", partial(_drills, settings, ledger), drilled, look_at.drills)
    if _any_record(settings, "drift"):
        yield RecordsLook("drift", ledger, (look_at.DRIFT,), look_at.drift)
    if _any_record(settings, *look_at.DUTIES):
        yield RecordsLook("reviews, clocks and agreements", ledger, (look_at.DUTY_OVERDUE,), look_at.duties)


def _any_record(settings: Settings, *kinds: str) -> bool:
    """What nothing was ever recorded of is not done here, and nothing is missing."""
    return any(next(wire.ledger(settings).query(kind), None) is not None for kind in kinds)


def _drills(settings: Settings, ledger: Callable[[], Iterable[AnyRecord]]) -> Iterator[AnyRecord]:
    """The ledger's records, and the signed results that another machine's drills left in the repositories."""
    yield from ledger()
    for place in wire.places(settings):
        for report in DRILLS.all(place.catalog):
            yield AnyRecord.model_validate_json(report.model_dump_json())


def _chains(settings: Settings) -> Iterator[Collector]:
    if settings.repositories:
        yield ChainLook("ledger", partial(_ledger_state, settings))
    if settings.vault is not None and settings.repositories:
        yield ChainLook("vault", partial(_vault_state, settings))


def _ledger_state(settings: Settings) -> State:
    found = wire.ledger(settings)
    if found.log_id() is None:
        return State(None, None, None)
    state = verify_ledger(found, wire.store(settings), settings.stack.name, wire.verifier(settings))
    first = next(found.query())
    return State(state.verdict, first.record().finished, _newest_checkpoint(settings, LOG))


def _vault_state(settings: Settings) -> State:
    """What `opsctl vault verify` found last; it reads the whole log, which a look every hour cannot."""
    entries = list(wire.ledger(settings).query(VAULT_VERIFICATION, settings.stack.name))
    if not entries:
        return State(None, None, _newest_checkpoint(settings, vault_checkpoints.LOG))
    newest: Record[VaultVerification] = entries[-1].record_of(VaultVerification)
    begun = entries[0].record().finished
    broken = newest.body.verdict is Verdict.BROKEN or bool(newest.body.archive_faults)
    return State(
        Verdict.BROKEN if broken else newest.body.verdict, begun, _newest_checkpoint(settings, vault_checkpoints.LOG)
    )


def _newest_checkpoint(settings: Settings, log: str) -> datetime | None:
    """When the newest checkpoint of a log was made (UTC), as its key says, in any repository."""
    prefix = layout.checkpoints(settings.stack.name)
    return max(
        (
            moment_of(item.key.removeprefix(prefix))
            for repository in settings.repositories
            for item in wire.store(settings, repository.name).list(prefix)
            if f"-{log}-" in item.key
        ),
        default=None,
    )


def _host(settings: Settings) -> Iterator[Collector]:
    measured, runner = settings.anomalies, LocalRunner()
    yield Disks(measured.disks)
    if settings.nginx.enabled:
        yield Certificates(partial(_certificates, settings))
    journal = Journal(runner, measured.journal) if measured.journal or _SYSTEMD.is_dir() else None
    if journal is not None:
        yield Restarts(journal)
    if journal is not None or measured.auth_log is not None:
        yield FailedLogins(journal, measured.auth_log, measured.zone)
    if measured.packages and _APT_LISTS.is_dir():
        yield SecurityUpdates(runner, _APT_LISTS)
    if measured.time_server is not None:
        yield Clock(measured.time_server)


def _certificates(settings: Settings) -> list[tuple[str, Path]]:
    """The certificates that nginx shows its visitors, under their names on the host."""
    root, config = settings.stack.root, settings.nginx.config
    shown = _shown(read_nginx(root, config).directives)
    names = dict.fromkeys(config.parent / name for name in shown if "$" not in name and not name.startswith("data:"))
    return [(str(path), below(root, resolve(root, path)[1])) for path in names]


def _shown(directives: Iterable[Directive]) -> Iterator[str]:
    for directive in directives:
        if directive.name == "ssl_certificate":
            yield directive.args[0]
        yield from _shown(directive.block)


def _database(settings: Settings) -> Database:
    """The server, as the account that measures. Raises SettingsError when the settings name none."""
    database = settings.require_database()
    if database.watch_user is None:
        raise SettingsError(
            "[database] names no watch_user, and there are [[sources]] in the database",
            hint="make an account that may read them, and name it there: opsctl config generate",
        )
    timeout_s = settings.anomalies.query_timeout_s
    return Database(database.socket, database.watch_user, database.watch_password_file, timeout_s)


def _server(settings: Settings) -> Iterator[Collector]:
    if settings.database is not None and settings.database.watch_user is not None:
        yield from server_looks.collectors(_database(settings))


def _sources(settings: Settings) -> Iterator[Collector]:
    for source in settings.sources:
        yield from _own(settings, source)


def _own(settings: Settings, source: SourceSection) -> Iterator[Collector]:
    days_in = settings.anomalies.zone
    match source:
        case CrmSource():
            yield from crm.collectors(_database(settings), source, days_in)
        case WordPressSource():
            yield from wordpress.collectors(_database(settings), source, days_in)
        case TableSource():
            yield RowCounts(
                _database(settings), source.name, source.table, source.database, source.table, source.time,
                source.stored_in, days_in, source.where, source.label,
            )  # fmt: skip
        case QueueSource():
            yield Queue(_database(settings), source)
        case QuerySource():
            yield Query(_database(settings), source, days_in)
        case CostExport():
            yield CostFiles(source)
        case BigQueryExport():
            yield BigQueryBill(source)
        case AiCalls():
            yield CallLog(source, days_in)
