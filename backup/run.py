"""`backup run`: one backup, full or incremental, from the lock to the signed manifest and the record."""

import contextlib
import shutil
import socket
from collections.abc import Iterable
from datetime import timedelta

import opsctl
from backup import layout
from backup.archive import Archives
from backup.archive_set import archive_set
from backup.context import Host
from backup.continuation import LSN, Decision, Kind, decide, lsn_dir, note_origin
from backup.database import archive_database, look_at_server
from backup.documents import publish
from backup.files import SNAPSHOT, archive_keys, archive_state
from backup.heads import publish_head
from backup.increments import find_base
from backup.manifest import Database, FileSet, Manifest
from backup.plan import Plan, make_plan
from backup.readme import publish_readme
from backup.records import BACKUP, BACKUP_VERSION, BackupBody
from backup.remembered import DIRECTORY as MEMORY
from backup.remembered import directory
from opsctl.core.canonical import sha256_hex
from opsctl.core.clock import in_order, utcnow
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.core.room import needing_room
from opsctl.core.signing import Namespace

OTHERS_PARTIALS = timedelta(days=1)
"""Age at which what a drill or a shipment was writing is certainly a killed one's."""


def run_backup(host: Host, *, kind: Kind | None = None, lock_wait_s: float = 0.0) -> Manifest:
    """Take a backup and publish it in the host's repository; return its manifest, as it was signed.

    Without a `kind`, settings decide. Where an incremental one is not safe it is a full one, whose manifest says why.
    Waits up to `lock_wait_s` seconds for another run to end. Whatever goes wrong is raised as an OpsError, stands in
    the ledger as a failed backup, and leaves nothing that counts as one.
    """
    with lock(host.machine.lock_dir, f"backup-{host.stack.name}", doing="backup run", wait_s=lock_wait_s):
        return _Run(host, kind).run()


class _Run:
    def __init__(self, host: Host, wanted: Kind | None) -> None:
        self.host = host
        self.wanted = wanted
        self.started = utcnow()
        self.published = False
        self._begin(Decision(None, None))

    def _begin(self, decision: Decision) -> None:
        """Name the backup after what it will be; until the server was looked at, that is a full one."""
        self.decision = decision
        self.id = layout.new_backup_id(in_order(self.started, _newest(self.host)), decision.kind)
        self.archives = Archives(self.host, self.id)
        self.lsn_dir = lsn_dir(self.host, self.id)

    def run(self) -> Manifest:
        """Do it all; on the way out, whatever happened, clean up and write the record."""
        try:
            self.host.signer.check()
            self._remove_leftovers()
            with needing_room(self.host.machine.state_dir):
                manifest = self._take()
            data = self._publish(manifest)
            publish_head(self.host)
        except BaseException as error:
            if not self.published:
                self.archives.discard()
                self._remove_empty_folders()
                for memory in (self.lsn_dir, directory(self.host, self.id)):
                    shutil.rmtree(memory, ignore_errors=True)
            self._record(Outcome.FAILED, self._body(error=_first_line(error)))
            raise
        self._forget_older()
        self._record(Outcome.PASSED, self._body_of(manifest, data))
        return manifest

    def _remove_leftovers(self) -> None:
        """Remove what killed runs left of backups that do not exist: only the holder of the lock makes any here."""
        host, exist = self.host, set(self.host.catalog.backup_ids())
        prefix = layout.backups(host.stack.name)
        host.store.remove_partials(prefix, older_than=self.started)
        host.store.remove_partials(host.stack.name, older_than=self.started - OTHERS_PARTIALS)
        keys = [item.key for item in host.store.list(prefix)]
        orphans = {key for key in keys if key[len(prefix) :].partition("/")[0] not in exist}
        # A manifest that does not hold may need any of them, and is for `backup verify` to report.
        with contextlib.suppress(IntegrityError):
            for key in orphans - (_needed(host, exist) if orphans else set()):
                host.store.delete(key)
        self._remove_empty_folders()
        state = host.machine.state_dir
        memories = [path for name in (LSN, MEMORY) for path in (state / name).glob("*") if path.name not in exist]
        for left in (*memories, *state.glob(f"{SNAPSHOT}*")):
            shutil.rmtree(left)

    def _forget_older(self) -> None:
        """Only the newest backup's files are compared with: what is remembered of older ones is of no more use."""
        for memory in directory(self.host, self.id).parent.glob("*"):
            if memory.name != self.id:
                shutil.rmtree(memory, ignore_errors=True)

    def _remove_empty_folders(self) -> None:
        for folder in (self.host.repository / layout.backups(self.host.stack.name)).glob("*"):
            with contextlib.suppress(OSError):  # that of a backup that exists is not empty
                folder.rmdir()

    def _take(self) -> Manifest:
        """Seal everything, the files after the database, so that each attachment it knows has its file."""
        host, looking = self.host, self.archives
        with looking.phase("look", "Looking at the database and the sites"):
            facts = look_at_server(host)
            plan = make_plan(host, facts.keys.files)
            self._begin(decide(host, self.wanted, facts))
        archives = self.archives
        archives.phases.extend(looking.phases)
        parent = self.decision.parent
        total = facts.table_bytes if parent is None else None
        with archives.phase("database", f"Database, {self.decision.kind}", total_bytes=total):
            base = None if parent is None else lsn_dir(host, parent.manifest.id)
            database = archive_database(host, archives, facts, self.lsn_dir, base)
            note_origin(host, self.id, facts)
        files = []
        for planned in plan.sets:
            with archives.phase(f"files-{planned.name}", f"Files of {planned.name}"):
                below = find_base(host, self.decision.last, planned, self.started)
                made = archive_set(host, archives, planned, plan.secrets, base=below, started=self.started)
                files.append(made)
        with archives.phase("keys", "Keys and other secrets"):
            keys = archive_keys(host, archives, plan.secrets)
        with archives.phase("state", "Ledger and settings"):
            archive_state(host, archives)
        return self._manifest(database, tuple(files), plan, keys)

    def _manifest(self, database: Database, files: tuple[FileSet, ...], plan: Plan, keys: tuple[str, ...]) -> Manifest:
        parent = self.decision.parent
        return Manifest(
            id=self.id,
            stack=self.host.stack.name,
            kind=self.decision.kind,
            parent=parent.manifest.id if parent else None,
            parent_sha256=parent.sha256 if parent else None,
            reason=self.decision.reason,
            started=self.started,
            finished=utcnow(),
            opsctl_version=opsctl.__version__,
            host=socket.gethostname(),
            artefacts=tuple(self.archives.artefacts),
            database=database,
            files=files,
            sites=plan.sites,
            web_server=plan.web_server,
            keys=keys,
            phases=tuple(self.archives.phases),
        )

    def _publish(self, manifest: Manifest) -> bytes:
        """Publish the signature, then the manifest: from here on there is a backup."""
        host = self.host
        host.progress.step("Signing the manifest")
        publish_readme(host.store)
        key = layout.manifest(host.stack.name, self.id)
        data = publish(host.store, host.signer, Namespace.MANIFEST, key, manifest)
        self.published = True
        return data

    def _record(self, outcome: Outcome, body: BackupBody) -> None:
        finished = utcnow()
        fresh = timedelta(hours=self.host.backup.fresh_h)
        record = Record[BackupBody](
            kind=BACKUP,
            version=BACKUP_VERSION,
            subject=self.host.stack.name,
            started=self.started,
            finished=finished,
            outcome=outcome,
            fresh_until=self.started + fresh if outcome is Outcome.PASSED else None,
            body=body,
        )
        self.host.ledger.append(record)

    def _body(self, *, error: str | None = None) -> BackupBody:
        return BackupBody(
            backup_id=self.id,
            kind=self.decision.kind,
            parent=self.decision.parent.manifest.id if self.decision.parent else None,
            reason=self.decision.reason,
            repository=self.host.store.where,
            phases=tuple(self.archives.phases),
            error=error,
        )

    def _body_of(self, manifest: Manifest, data: bytes) -> BackupBody:
        sealed = [artefact.sealed for artefact in manifest.artefacts]
        return self._body().model_copy(
            update={
                "manifest_sha256": sha256_hex(data),
                "plain_size": sum(each.plain_size for each in sealed),
                "cipher_size": sum(each.cipher_size for each in sealed),
                "stored_size": manifest.stored_size,
                "tables": len(manifest.database.tables),
                "files": sum(each.files for each in manifest.files),
                "gtid_state": manifest.database.gtid_state,
            }
        )


def _needed(host: Host, backup_ids: Iterable[str]) -> set[str]:
    """The archives that backups consist of, which may lie beside another one's. Raises IntegrityError."""
    return {artefact.key for each in backup_ids for artefact in host.catalog.manifest(each).artefacts}


def _newest(host: Host) -> str | None:
    """The newest backup's id, if there is one. A repository that cannot be read is what the run will fail for."""
    with contextlib.suppress(OpsError):
        return max(host.catalog.backup_ids(), default=None)
    return None


def _first_line(error: BaseException) -> str:
    """What happened, without what a program printed, which may quote anything."""
    return error.message.splitlines()[0] if isinstance(error, OpsError) else type(error).__name__
