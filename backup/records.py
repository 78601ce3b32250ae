"""Bodies of the ledger's records about backups. Sizes are in bytes; times in records are UTC."""

from pydantic import BaseModel, ConfigDict

from backup.manifest import Phase

BACKUP = "backup"
BACKUP_VERSION = 1
VERIFICATION = "verification"
VERIFICATION_VERSION = 1


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BackupBody(_Body):
    """A run of `backup run`; `reason` says why it took a full backup. Of a failed one, only `error` says more than its
    id: what happened, without secrets.

    `repository` is where it was written; `manifest_sha256` is of the manifest's bytes; sizes are of all archives,
    `stored_size` (encrypted) of those that do not lie in an earlier backup.
    """

    backup_id: str
    kind: str
    parent: str | None
    reason: str | None = None
    repository: str
    manifest_sha256: str | None = None
    plain_size: int = 0
    cipher_size: int = 0
    stored_size: int = 0
    tables: int = 0
    files: int = 0
    gtid_state: str | None = None
    phases: tuple[Phase, ...] = ()
    error: str | None = None


class VerificationBody(_Body):
    """A look at all archives of a backup, or of an export, in one repository: their number and size, and all that was
    wrong."""

    backup_id: str
    repository: str
    artefacts: int
    cipher_size: int
    problems: tuple[str, ...]
