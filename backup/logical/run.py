"""`backup run --kind logical`: one logical export, from the lock to the signed document and the record."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial

from pydantic import SecretStr

import opsctl
from backup import layout
from backup.context import Host
from backup.documents import publish
from backup.facts import ServerFacts, read_facts
from backup.logical import inventory
from backup.logical.accounts import Accounts, read_accounts
from backup.logical.archives import Dumps, remove_leftovers
from backup.logical.catalog import export_ids
from backup.logical.counting import ask, counting
from backup.logical.document import Export, ExportedTable
from backup.logical.dump import PROGRAM, definitions_changed, dumping, explained
from backup.logical.moment import Moment, held, wait_until_begun
from backup.logical.records import EXPORT, EXPORT_VERSION, ExportBody
from backup.logical.sections import Sections
from backup.readme import publish_exports_readme
from backup.unsupported import refuse_unsupported
from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import in_order, utcnow
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.locks import lock
from opsctl.core.mariadb.connect import Connection, connected, read_password
from opsctl.core.mariadb.version import find_version
from opsctl.core.pipeline import reading
from opsctl.core.process import command, run
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.room import needing_room
from opsctl.core.signing import Namespace

VERSION_TIMEOUT_S = 20.0


def run_export(host: Host, *, lock_wait_s: float = 0.0) -> Export:
    """Export all databases and publish the export in the host's repository; return its document, as it was signed.

    Waits up to `lock_wait_s` seconds for another backup to end. Whatever goes wrong is raised as an OpsError, stands in
    the ledger as a failed export, and leaves nothing that counts as one.
    """
    user = host.database.export_user
    if user is None:
        raise SettingsError(
            "no account is named that may read every row, which a logical export needs",
            where="database.export_user",
            hint='write export_user = "opsctl_export" below [database], and how it logs in: docs/exports.md',
        )
    with lock(host.machine.lock_dir, f"backup-{host.stack.name}", doing="backup run", wait_s=lock_wait_s):
        return _Run(host, user).run()


class _Run:
    def __init__(self, host: Host, user: str) -> None:
        self.host = host
        self.user = user
        self.started = utcnow()
        self.id = layout.new_export_id(in_order(self.started, _newest(host)))
        self.dumps = Dumps(host, self.id)
        self.published = False

    def run(self) -> Export:
        """Do it all; on the way out, whatever happened, clean up and write the record."""
        try:
            self.host.signer.check()
            remove_leftovers(self.host, older_than=self.started)
            with needing_room(self.host.machine.state_dir):
                export = self._take()
            data = self._publish(export)
        except BaseException as error:
            if not self.published:
                self.dumps.discard()
            self._record(Outcome.FAILED, self._body(error=_first_line(error)))
            raise
        self._record(Outcome.PASSED, self._body_of(export, data))
        return export

    def _take(self) -> Export:
        """Export databases and views from one snapshot; count what is in the tables in another of the same moment."""
        with self._connected() as holder, self._connected() as counter:
            with self.dumps.phase("look", "Looking at the database"):
                refuse_unsupported(holder, str(self.host.database.socket))
                facts = read_facts(holder)
                before = inventory.tables(partial(ask, holder))
            with self.dumps.phase("databases", "Databases", total_bytes=facts.table_bytes):
                moment, tables = self._dump(holder, counter, facts, before)
            if inventory.tables(partial(ask, holder)) != before:
                raise definitions_changed()
            with self.dumps.phase("accounts", "Users, roles and grants"):
                accounts = read_accounts(partial(ask, holder))
                self.dumps.seal_accounts(accounts.sql)
            self.dumps.read_back()
            return self._export(holder, facts, moment, tables, accounts)

    def _dump(
        self, holder: Connection, counter: Connection, facts: ServerFacts, before: tuple[ExportedTable, ...]
    ) -> tuple[Moment, tuple[ExportedTable, ...]]:
        """Seal what mariadb-dump writes, a piece for each database; the tables as they were counted meanwhile."""
        question = partial(ask, holder)
        databases = [schema.name for schema in inventory.schemas(question)]
        files, columns = inventory.file_names(question), inventory.columns(question)
        with ExitStack() as stack:
            stack.enter_context(explained(self.host, self.user))
            producer = stack.enter_context(dumping(self.host, self.user, self._password(), databases))
            with held(holder, counter, binlog=facts.binlog) as moment:
                dump = stack.enter_context(reading([producer], timeout_s=self.host.backup.timeout_s))
                wait_until_begun(holder, counter, dump)
            counted = stack.enter_context(counting(holder, counter, before, columns))
            for heading, section in Sections(dump, databases, views=any(table.kind == "view" for table in before)):
                self.dumps.seal_section(heading, section, files[heading.database], before)
            return moment, counted()

    def _export(
        self,
        holder: Connection,
        facts: ServerFacts,
        moment: Moment,
        tables: tuple[ExportedTable, ...],
        accounts: Accounts,
    ) -> Export:
        question = partial(ask, holder)
        return Export(
            id=self.id,
            stack=self.host.stack.name,
            started=self.started,
            snapshot=moment.at,
            finished=utcnow(),
            load_as_at=int(min([self.started, *inventory.ends_of_events(question)]).timestamp()),
            opsctl_version=opsctl.__version__,
            host=socket.gethostname(),
            server_version=facts.version,
            tool_version=_tool_version(),
            server_id=facts.server_id,
            encrypted=facts.keys.plugin is not None,
            key_ids=inventory.key_ids(question),
            binlog_file=moment.binlog_file,
            binlog_position=moment.binlog_position,
            gtid_position=moment.gtid_position,
            gtid_state=moment.gtid_state,
            dumps=self.dumps.made,
            databases=inventory.schemas(question),
            tables=tables,
            programs=inventory.programs(question),
            accounts=accounts.users,
            roles=accounts.roles,
            history_left_out=inventory.versioned(question),
            phases=tuple(self.dumps.phases),
        )

    def _publish(self, export: Export) -> bytes:
        """Publish the signature, then the document: from here on there is an export."""
        host = self.host
        host.progress.step("Signing the export")
        publish_exports_readme(host.store, host.stack.name)
        key = layout.export_document(host.stack.name, self.id)
        data = publish(host.store, host.signer, Namespace.MANIFEST, key, export)
        self.published = True
        return data

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        limit = self.host.backup.timeout_s
        socket_path = self.host.database.socket
        with connected(socket_path, user=self.user, password=self._password(), timeout_s=limit) as connection:
            yield connection

    def _password(self) -> SecretStr | None:
        return read_password(self.host.database.export_password_file, self.user)

    def _record(self, outcome: Outcome, body: ExportBody) -> None:
        fresh = timedelta(days=self.host.backup.export_fresh_days)
        self.host.ledger.append(
            Record[ExportBody](
                kind=EXPORT,
                version=EXPORT_VERSION,
                subject=self.host.stack.name,
                started=self.started,
                finished=utcnow(),
                outcome=outcome,
                fresh_until=self.started + fresh if outcome is Outcome.PASSED else None,
                body=body,
            )
        )

    def _body(self, *, error: str | None = None) -> ExportBody:
        phases = tuple(self.dumps.phases)
        return ExportBody(export_id=self.id, repository=self.host.store.where, phases=phases, error=error)

    def _body_of(self, export: Export, data: bytes) -> ExportBody:
        sealed = [dump.sealed for dump in export.dumps]
        return self._body().model_copy(
            update={
                "document_sha256": sha256_hex(data),
                "plain_size": sum(each.plain_size for each in sealed),
                "cipher_size": sum(each.cipher_size for each in sealed),
                "databases": len(export.databases),
                "tables": len(export.tables),
                "gtid_state": export.gtid_state,
            }
        )


def _newest(host: Host) -> str | None:
    """The newest export's id, if there is one. A repository that cannot be read is what the run will fail for."""
    with suppress(OpsError):
        return max(export_ids(host.catalog), default=None)
    return None


def _tool_version() -> str:
    done = run(command(PROGRAM, "--version"), timeout_s=VERSION_TIMEOUT_S)
    version = find_version(done.text())
    return str(version) if version else done.text()


def _first_line(error: BaseException) -> str:
    """What happened, without what a program printed, which may quote anything."""
    return error.message.splitlines()[0] if isinstance(error, OpsError) else type(error).__name__
