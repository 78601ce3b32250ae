"""The manifest: the signed description of one backup. It is written last; before it, there is no backup."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from backup.codec import Sealed
from opsctl.core.canonical import parse_versioned
from opsctl.core.errors import IntegrityError

VERSION = 1
Kind = Literal["database", "files", "deleted", "list", "keys", "state"]


class Part(BaseModel):
    """Base of everything in a manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Artefact(Part):
    """One archive: its name in the backup, what it is, the store key it lies under, what is in it.

    The key may lie in an earlier backup: what did not change is not stored again. A files archive that is an increment
    names in `base` the key of the archive that has to be unpacked before it; what has to be removed in between stands
    in an archive of the kind "deleted". Artefacts are named in the order in which they are unpacked.
    """

    name: str
    kind: Kind
    key: str
    sealed: Sealed
    recipients: tuple[str, ...]
    base: str | None = None


class Table(Part):
    """One table, view or sequence of the inventory, under its real name."""

    database: str
    name: str
    kind: Literal["table", "view", "sequence"]
    engine: str | None


class Database(Part):
    """The database part. LSNs are decimal strings, since JSON numbers end at 2^53.

    `gtid_state` is the whole binlog state at the backup's position, by (domain, server), derived from the binary log
    itself; the tool's own `gtid_position` leaves out domains last written by another server. `binlog_file` is None for
    a server without a binary log.
    """

    server_version: str
    tool_version: str
    server_id: int
    from_lsn: str
    to_lsn: str
    last_lsn: str
    binlog_file: str | None
    binlog_position: int | None
    gtid_position: str
    gtid_state: str
    encrypted: bool
    key_file: str | None
    filekey_file: str | None
    tables: tuple[Table, ...]


class FileSet(Part):
    """One files archive: `name` of the site or part, the paths it holds (as on the host), and what its list says.

    `digest` is the SHA-256 of the plain file list. `changed` and `vanished` count files that did so while being read,
    `left_out` sockets, FIFOs and devices, which no archive holds. `size` is in bytes. `uploads` is the path of the
    uploads and `upload_count` the number of regular files below it. `stored` is when the set was last stored whole
    and `read` when all of it was last read (UTC); `kept` files are as they were, and lie in earlier archives;
    `unseen` ones had other bytes under the same size and times, and were stored since all of it was read.
    """

    name: str
    paths: tuple[str, ...]
    files: int
    size: int
    digest: str
    changed: int
    vanished: int
    left_out: int = 0
    uploads: str | None
    upload_count: int
    read: datetime | None = None
    stored: datetime | None = None
    kept: int = 0
    unseen: int = 0


class KnownValueFact(Part):
    """A value that only the site's own key decrypts: the SQL that finds it and the SHA-256 of its plain text."""

    query: str
    sha256: str


class Site(Part):
    """What a drill has to know of a site, as on the host; all paths are absolute there."""

    name: str
    kind: Literal["wordpress", "codeigniter", "static", "python"]
    config: str | None
    code: str | None
    http_host: str | None
    uploads: str | None
    known_value: KnownValueFact | None


class WebServer(Part):
    """The nginx configuration's main file and every server name in it, in the order found."""

    config: str
    server_names: tuple[str, ...]


class Phase(Part):
    """How long a step took, in seconds."""

    name: str
    duration_s: float


class Manifest(Part):
    """A backup. All times are UTC. `keys` are the paths in the keys archive, which are in no other archive.

    The database of an incremental one is restored onto its `parent`, whose manifest has the SHA-256 `parent_sha256`:
    LSNs alone would accept another one. `reason` says why a full one was taken.
    """

    format: Literal["opsctl-manifest"] = "opsctl-manifest"
    version: int = VERSION
    id: str
    stack: str
    kind: Literal["full", "incremental"]
    parent: str | None
    parent_sha256: str | None = None
    reason: str | None = None
    started: datetime
    finished: datetime
    opsctl_version: str
    host: str
    artefacts: tuple[Artefact, ...]
    database: Database
    files: tuple[FileSet, ...]
    sites: tuple[Site, ...]
    web_server: WebServer | None
    keys: tuple[str, ...]
    phases: tuple[Phase, ...]

    @property
    def stored_size(self) -> int:
        """The bytes that were stored for this backup, encrypted: those of archives that lie in no earlier one."""
        own = [artefact for artefact in self.artefacts if f"/{self.id}/" in artefact.key]
        return sum(artefact.sealed.cipher_size for artefact in own)

    def artefact(self, name: str) -> Artefact:
        """The artefact of that name. Raises IntegrityError when there is none."""
        for artefact in self.artefacts:
            if artefact.name == name:
                return artefact
        raise IntegrityError(f"backup {self.id} has no archive '{name}'")


def parse_manifest(data: bytes, what: str) -> Manifest:
    """Read a manifest whose signature was verified. Raises IntegrityError for an unknown version or form."""
    return parse_versioned(Manifest, data, what=what, version=VERSION)
