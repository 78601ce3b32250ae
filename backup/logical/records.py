"""Bodies of the ledger's records about logical exports. Sizes are in bytes; times in records are UTC."""

from pydantic import BaseModel, ConfigDict

from backup.manifest import Phase

EXPORT = "export"
EXPORT_VERSION = 1
EXPORT_VERIFICATION = "export-verification"


class ExportBody(BaseModel):
    """A run of `backup run --kind logical`. Of a failed one, only `error` says more than its id: what happened,
    without secrets. `document_sha256` is of the document's bytes; sizes are of all archives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    export_id: str
    repository: str
    document_sha256: str | None = None
    plain_size: int = 0
    cipher_size: int = 0
    databases: int = 0
    tables: int = 0
    gtid_state: str | None = None
    phases: tuple[Phase, ...] = ()
    error: str | None = None
