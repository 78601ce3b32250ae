"""What pruning leaves in the ledger."""

from pydantic import BaseModel, ConfigDict

KIND = "prune"
VERSION = 1


class PruneBody(BaseModel):
    """The body of a record of kind `prune`. `objects` and `size` (bytes) were deleted, `backups` and `exports` by id.

    `logs` counts binary logs. `refused`: objects that the store did not delete; a later run tries again. Of a run that
    did not end, only `error` says more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    where: str
    backups: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    logs: int = 0
    objects: int = 0
    size: int = 0
    refused: int = 0
    error: str | None = None
