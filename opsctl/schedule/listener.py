"""Who hears of the runs of jobs."""

from collections.abc import Sequence
from typing import Protocol

from opsctl.core.job import Job
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.schedule.records import JobBody


class Listener(Protocol):
    """Is told when a job begins and how it ended. It raises nothing but defects: what it does never fails a job."""

    def started(self, job: Job) -> None:
        """A job begins; it holds its lock."""
        ...

    def finished(self, job: Job, outcome: Outcome, last_lines: Sequence[str], record: Record[JobBody]) -> None:
        """A job ended, or was stopped. The record has been written, unless the ledger could not be."""
        ...
