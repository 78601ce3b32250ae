"""A host's repository with years in it: backups, binary logs, heads, signed as ever, their archives a few bytes each.

No server runs: what is copied, kept, pruned and verified is only ever looked at from outside.
"""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup import layout
from backup.binlog.ids import id_at
from backup.codec import Sealed
from backup.context import Host
from backup.documents import publish
from backup.manifest import Artefact, Database, Manifest, Table
from backup.readme import publish_readme
from backup.segment import NO_RECORD, Head, Segment
from backup.settings import BackupSection, BinlogSection, ObjectivesSection
from opsctl.core.canonical import sha256_hex
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Silent
from opsctl.core.signing import Namespace, allowed_signers_line, create_key
from opsctl.core.store import Store, put
from opsctl.core.store.directory import DirectoryStore
from opsctl.stack.settings import DatabaseSection, NginxSection, StackSection
from tests.support.sshsig import FastSigner

STACK = "acme"
SIGNER = "host@acme"
SERVER = "s7"
BEGIN = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
_NOBODY = f"age1{'x' * 58}"


def plain_host(directory: Path, store: Store | None = None) -> Host:
    """A host without a database, whose keys, ledger and repository lie below `directory`."""
    for name in ("etc", "state", "locks", "root"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    key, allowed = directory / "etc" / "signing_key", directory / "etc" / "allowed_signers"
    if not key.exists():
        create_key(key, SIGNER)
        allowed.write_text(allowed_signers_line(SIGNER, key.with_suffix(".pub")))
    return Host(
        stack=StackSection(name=STACK, root=directory / "root"),
        database=DatabaseSection(socket=directory / "none.sock"),
        sites=(),
        nginx=NginxSection(enabled=False),
        backup=BackupSection(recipients=(_NOBODY,), keys_recipients=(_NOBODY,)),
        binlog=BinlogSection(),
        objectives=ObjectivesSection(),
        machine=MachineSection(place="all", state_dir=directory / "state", lock_dir=directory / "locks"),
        trust=TrustSection(signer=SIGNER, signing_key=key, allowed_signers=allowed),
        repository=directory / "repository",
        store=DirectoryStore(directory / "repository") if store is None else store,
        ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        progress=Silent(),
        settings_files=(),
    )


@dataclass
class History:
    """Writes a host's repository; `now` goes on with each thing that is written."""

    host: Host
    now: datetime = BEGIN
    size: int = 4000
    tables: int = 1
    manifests: list[Manifest] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    records: dict[str, bytes] = field(default_factory=dict)
    _random: random.Random = field(default_factory=lambda: random.Random(1))
    _last: dict[str, str] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _logs: int = 0
    _step: int = 1

    def __post_init__(self) -> None:
        self.signer = FastSigner(self.host.trust.signing_key)
        self.store = self.host.store
        publish_readme(self.store)

    def backup(
        self, *, parent: Manifest | None = None, files_of: Manifest | None = None, after: timedelta = timedelta(days=1)
    ) -> Manifest:
        """Publish a backup: a full one, or an incremental onto `parent`; its files may be those of an earlier one."""
        self.now += after
        kind = "full" if parent is None else "incremental"
        backup_id = layout.new_backup_id(self.now, kind)
        prefix = layout.backup(STACK, backup_id)
        files = files_of.artefact("files-site") if files_of else self._archive(prefix, "files-site", "files")
        manifest = Manifest(
            id=backup_id,
            stack=STACK,
            kind="full" if parent is None else "incremental",
            parent=parent.id if parent else None,
            parent_sha256=self._digests[parent.id] if parent else None,
            started=self.now,
            finished=self.now + timedelta(minutes=5),
            opsctl_version="0",
            host="host",
            artefacts=(
                self._archive(prefix, "db", "database"),
                files,
                self._archive(prefix, "keys", "keys"),
                self._archive(prefix, "state", "state"),
            ),
            database=self._database(parent),
            files=(),
            sites=(),
            web_server=None,
            keys=(),
            phases=(),
        )
        data = publish(self.store, self.signer, Namespace.MANIFEST, layout.manifest(STACK, backup_id), manifest)
        self._digests[backup_id] = sha256_hex(data)
        self.manifests.append(manifest)
        return manifest

    def ship(self, count: int = 1, *, lineage: str = "20260101T000000000000Z-aaaaaaaa") -> list[Segment]:
        """Publish the next segments of a lineage, a quarter of an hour each."""
        made = []
        for _ in range(count):
            self.now += timedelta(minutes=15)
            self._logs += 1
            name = f"bin.{self._logs:06d}"
            stem = f"{layout.lineage(STACK, SERVER, lineage)}{name}.{id_at(self.now)}"
            number = sum(1 for each in self.segments if each.lineage == lineage) + 1
            segment = Segment(
                stack=STACK,
                server=SERVER,
                lineage=lineage,
                lineage_reason="the first shipment",
                number=number,
                name=name,
                key=f"{stem}.zst.age",
                sealed=self._seal(f"{stem}.zst.age"),
                server_version="10.11.11",
                first_state=f"0-7-{(self._logs - 1) * self._step}",
                last_state=f"0-7-{self._logs * self._step}",
                end_position=1000,
                transactions=1,
                first_time=self.now,
                last_time=self.now,
                heartbeat=self.now,
                heartbeat_before=None,
                sealed_at=self.now,
                previous=self._last.get(lineage, NO_RECORD),
            )
            data = publish(self.store, self.signer, Namespace.SEGMENT, f"{stem}.json", segment)
            self._last[lineage] = sha256_hex(data)
            self.records[segment.key] = data
            self.segments.append(segment)
            made.append(segment)
        return made

    def reset(self) -> None:
        """RESET MASTER: names and transactions begin again."""
        self._logs, self._step = 0, 10 * self._step

    def head(self) -> Head:
        """State what there is."""
        last = self.segments[-1] if self.segments else None
        head = Head(
            stack=STACK,
            at=self.now,
            server=last.server if last else None,
            lineage=last.lineage if last else None,
            segments=last.number if last else 0,
            last_record=self._last[last.lineage] if last else NO_RECORD,
            newest_backup=self.manifests[-1].id if self.manifests else None,
        )
        publish(self.store, self.signer, Namespace.SEGMENT, f"{layout.heads(STACK)}{id_at(self.now)}.json", head)
        return head

    def _archive(self, prefix: str, name: str, kind: object) -> Artefact:
        key = f"{prefix}{name}.zst.age"
        return Artefact.model_validate(
            {"name": name, "kind": kind, "key": key, "sealed": self._seal(key), "recipients": ()}
        )

    def _seal(self, key: str) -> Sealed:
        data = self._random.randbytes(self.size)
        put(self.store, key, data)
        digest = hashlib.sha256(data).hexdigest()
        return Sealed(plain_size=len(data), plain_sha256=digest, cipher_size=len(data), cipher_sha256=digest)

    def _database(self, parent: Manifest | None) -> Database:
        name = f"bin.{self._logs + 1:06d}"
        return Database(
            server_version="10.11.11",
            tool_version="10.11.11",
            server_id=7,
            from_lsn=parent.database.to_lsn if parent else "0",
            to_lsn="1",
            last_lsn="1",
            binlog_file=name,
            binlog_position=400,
            gtid_position=f"0-7-{self._logs * self._step}",
            gtid_state=f"0-7-{self._logs * self._step}",
            encrypted=False,
            key_file=None,
            filekey_file=None,
            tables=tuple(
                Table(database="shop", name=f"t{number}", kind="table", engine="InnoDB")
                for number in range(self.tables)
            ),
        )
