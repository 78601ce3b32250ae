"""What a copy leaves in the ledger, and what of it says how far behind a repository is."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

KIND = "copy"
VERSION = 1


class CopyBody(BaseModel):
    """The body of a record of kind `copy`: one run of copying into one repository. Sizes are bytes, times UTC.

    `objects` and `size`: what was sent and read back. `complete`: whether all was to be copied, and not the logs alone.
    `looked_at`: when both sides were listed; `backlog` and `backlog_size`: what of that was missing there in the end,
    `oldest_missing` when the oldest of it was published here. They are None when the other side could not be listed.
    `locks` counts objects whose lock was extended; `locked_until` is when the newest backup there can be deleted first.
    `problems` says what went wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    where: str
    complete: bool
    objects: int
    size: int
    looked_at: datetime | None
    backlog: int | None
    backlog_size: int | None
    oldest_missing: datetime | None
    locks: int = 0
    locked_until: datetime | None = None
    problems: tuple[str, ...] = ()
