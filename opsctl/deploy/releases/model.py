"""What is known of a release: on its host, and in the ledger."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.clock import moment_of

State = Literal["tried", "good", "left", "failed"]
Result = Literal["live", "failed", "refused", "open"]


class Release(BaseModel):
    """A release on a host. `sha256` is of what was carried there; `said` is what was seen of one that failed.

    `state`: `good` worked, `left` was rolled back from, `failed` did not work and lies apart, `tried` is not judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: State
    live: bool
    by: str
    origin: str
    why: str
    sha256: str
    files: int
    bytes: int
    said: str | None = None

    @property
    def at(self) -> datetime:
        """When it was begun (UTC)."""
        return moment_of(self.name)

    @property
    def id(self) -> str:
        """The end of its name, which suffices to name it."""
        return self.name.rpartition("-")[2]


class ReleaseBody(BaseModel):
    """The body of a record of kind `release`: which site got which release, by whom and from where, what came of it.

    `result`: `live`; `failed`, it did not work and what was live before is; `refused`, nothing was begun; `open`, the
    connection was lost, or it was killed there: the next one finds out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["release", "rollback"]
    site: str
    host: str
    release: str | None
    before: str | None
    sha256: str | None
    actor: str
    origin: str
    why: str
    result: Result
    said: str | None
