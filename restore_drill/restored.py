"""A backup being restored, as the checks see it: every step's value or its error, and where things lie.

A step that failed is kept, not raised: the check whose subject it is reports it as failed, the checks that needed it
report that they could not run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from backup.catalog import Catalog
from backup.chain import ChainError, archives_of, parents_of
from backup.codec import Sealed
from backup.manifest import Artefact, Manifest
from opsctl.core.errors import OpsError
from opsctl.core.result import Result
from restore_drill.context import DrillHost
from restore_drill.paths import ScratchPaths
from restore_drill.prepare import Prepared
from restore_drill.replay import Replayed
from restore_drill.scratch import ScratchServer

Value = TypeVar("Value")


class CouldNotRunError(OpsError):
    """What a check needs is not there, because an earlier step failed."""


@dataclass(frozen=True)
class Attempt(Generic[Value]):
    """What a step of the restore came to: its value or its error, and its duration in seconds."""

    value: Value | None
    error: OpsError | None
    duration_s: float

    def need(self) -> Value:
        """The value, for a check whose subject this step is not. Raises CouldNotRunError."""
        if self.value is None:
            raise CouldNotRunError(f"an earlier step failed: {self.error}")
        return self.value


def needed(step: Attempt[Value] | None) -> Value:
    """The value of a step that came before. Raises CouldNotRunError when it failed or was not run."""
    if step is None:
        raise CouldNotRunError("an earlier step was not run")
    return step.need()


def attempt(step: Callable[[], Value]) -> Attempt[Value]:
    """Run a step and keep what it came to; anything but an OpsError is a defect and passes through."""
    started = time.monotonic()
    try:
        value = step()
    except OpsError as error:
        return Attempt(None, error, time.monotonic() - started)
    return Attempt(value, None, time.monotonic() - started)


@dataclass
class Restored:
    """One restore in progress. `opened` has one attempt for each of `archives`, by the same names.

    `parents`: what the database is restored onto, the full backup first; `chain_error`: why they are not known.
    It began at `began` (of the monotonic clock, seconds) and is given up after `host.drill.timeout_s` seconds.
    `head_error`: what was wrong when the repository was held against its newest head and the remembered one.
    `results`: those of the checks that ran before, by id.
    """

    host: DrillHost
    catalog: Catalog
    manifest: Manifest
    paths: ScratchPaths
    parents: tuple[Manifest, ...] = ()
    chain_error: OpsError | None = None
    opened: dict[str, Attempt[Sealed]] = field(default_factory=dict)
    prepared: Attempt[Prepared] | None = None
    server: Attempt[ScratchServer] | None = None
    replayed: Attempt[Replayed] | None = None
    began: float = field(default_factory=time.monotonic)
    head_error: OpsError | None = None
    results: dict[str, Result] = field(default_factory=dict)

    def follow_parents(self) -> None:
        """Find what the database is restored onto, or keep why it cannot be found."""
        try:
            self.parents = parents_of(self.catalog, self.manifest)[:-1]
        except ChainError as error:
            self.chain_error = error

    @property
    def archives(self) -> dict[str, Artefact]:
        """What is opened: the databases of all parents, and all archives of the backup, in their order."""
        return archives_of((*self.parents, self.manifest))

    @property
    def steps(self) -> tuple[tuple[int, Manifest], ...]:
        """The backups whose databases are joined, each with its place in the chain: 0 is the full one.

        An incremental one without known parents takes the first place after one.
        """
        first = 1 if self.manifest.kind == "incremental" and not self.parents else 0
        return tuple(enumerate((*self.parents, self.manifest), start=first))

    def remaining_s(self) -> float:
        """Seconds left for the next step. Raises OpsError when the time is over."""
        left = self.began + self.host.drill.timeout_s - time.monotonic()
        if left <= 0:
            raise OpsError(
                f"the restore took longer than {self.host.drill.timeout_s:g} s and was given up",
                hint="raise drill.timeout_s",
            )
        return left


class Check(Protocol):
    """One of the drill's checks. `run` returns failed or could_not_run, and raises nothing but defects."""

    id: str
    title: str

    def run(self, restored: Restored) -> Result:
        """Judge what was restored."""
        ...
