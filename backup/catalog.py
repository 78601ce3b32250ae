"""What is in a repository for one stack: its backups, lineages and heads, each verified when it is read."""

from dataclasses import dataclass
from datetime import datetime

from backup import layout
from backup.documents import fetch
from backup.manifest import Manifest, parse_manifest
from backup.segment import NO_RECORD, Head, Segment, parse_head, parse_segment
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError, OpsError, SettingsError
from opsctl.core.signing import Namespace, Verifier
from opsctl.core.store import Store, get


@dataclass(frozen=True)
class LineageRef:
    """A lineage: the server it belongs to and its id."""

    server: str
    lineage: str


@dataclass(frozen=True)
class Described:
    """A verified manifest, and the SHA-256 of its bytes: by these a later backup names it as its parent."""

    manifest: Manifest
    sha256: str


class Catalog:
    """Reads one stack's part of a repository. Whatever it returns was signed by an allowed signer."""

    def __init__(self, store: Store, stack: str, verifier: Verifier) -> None:
        self.store = store
        self.stack = stack
        self.verifier = verifier

    def backup_ids(self) -> list[str]:
        """Ids of all backups that exist, oldest first; an id whose manifest is not there is no backup."""
        prefix = layout.backups(self.stack)
        ends = f"/{layout.MANIFEST}"
        return [item.key[len(prefix) : -len(ends)] for item in self.store.list(prefix, ending=ends)]

    def manifest(self, backup_id: str) -> Manifest:
        """Read and verify one manifest. Raises MissingError, IntegrityError."""
        return self.described(backup_id).manifest

    def described(self, backup_id: str) -> Described:
        """Read and verify one manifest, and say which bytes it consists of. Raises MissingError, IntegrityError."""
        key = layout.manifest(self.stack, backup_id)
        manifest = parse_manifest(get(self.store, key), key)
        data = fetch(self.store, self.verifier, Namespace.MANIFEST, key, at=manifest.finished)
        if (manifest.id, manifest.stack) != (backup_id, self.stack):
            raise IntegrityError(f"{key} describes another backup: {manifest.stack}/{manifest.id}")
        return Described(manifest, sha256_hex(data))

    def require(self, backup_id: str) -> str:
        """The id of a backup that a person names. Raises SettingsError when there is none of that id."""
        if backup_id not in self.backup_ids():
            raise SettingsError(f"there is no backup {backup_id}", where=self.store.where, hint="opsctl backup list")
        return backup_id

    def asked_for(self, backup_id: str) -> Manifest:
        """The manifest of a backup that a person names. Raises SettingsError when there is none of that id."""
        return self.manifest(self.require(backup_id))

    def newest(self, *, before: datetime | None = None) -> Manifest:
        """The newest backup that had finished by a time (UTC). Raises OpsError when there is none."""
        for backup_id in reversed(self.backup_ids()):
            manifest = self.manifest(backup_id)
            if before is None or manifest.finished <= before:
                return manifest
        raise OpsError(
            f"there is no backup of {self.stack}" + (f" from before {before}" if before else ""),
            where=self.store.where,
            hint="run: opsctl backup run",
        )

    def newest_head(self) -> Head | None:
        """The newest head, verified; None when nothing was ever published."""
        keys = [item.key for item in self.store.list(layout.heads(self.stack), ending=".json")]
        if not keys:
            return None
        head = parse_head(get(self.store, keys[-1]), keys[-1])
        fetch(self.store, self.verifier, Namespace.SEGMENT, keys[-1], at=head.at)
        return head

    def lineages(self) -> list[LineageRef]:
        """All lineages, in the order in which they began."""
        prefix = layout.segments(self.stack)
        found = {
            LineageRef(*item.key[len(prefix) :].split("/")[:2])
            for item in self.store.list(prefix)
            if item.key.endswith(".json") and not item.key.startswith(layout.heads(self.stack))
        }
        return sorted(found, key=lambda ref: ref.lineage)

    def segments(self, ref: LineageRef) -> list[Segment]:
        """The records of a lineage in order, each holding the hash of the one before; the last one's signature is
        verified, and with it all of them. Raises IntegrityError at the first that does not fit."""
        prefix = layout.lineage(self.stack, ref.server, ref.lineage)
        keys = [item.key for item in self.store.list(prefix, ending=".json")]
        records = [(key, data, parse_segment(data, key)) for key in keys if (data := get(self.store, key))]
        records.sort(key=lambda record: record[2].number)
        first = records[0][2] if records else None
        previous = first.previous if first is not None and first.number > 1 else NO_RECORD
        for number, (key, data, segment) in enumerate(records, start=first.number if first else 1):
            if segment.number != number:
                raise IntegrityError(f"segment {number} of lineage {ref.lineage} is missing", where=self.store.where)
            if segment.previous != previous:
                raise IntegrityError(f"{key} does not follow the segment before it", where=self.store.where)
            previous = sha256_hex(data)
        if records:
            key, _, last = records[-1]
            fetch(self.store, self.verifier, Namespace.SEGMENT, key, at=last.sealed_at)
        return [segment for _, _, segment in records]
