"""Runs one job: the same lock, time limit and record, whoever starts it."""

import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode, OpsError
from opsctl.core.ledger import Ledger
from opsctl.core.locks import lock
from opsctl.core.process import Child, Command, ended, spawn, stop, tail
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.schedule.listener import Listener
from opsctl.schedule.machine import Machine, Planned
from opsctl.schedule.records import KIND, VERSION, JobBody

GRACE_S = 30.0
LAST_LINES = 20
_NEVER_STARTED = 127
_KEPT = ("CREDENTIALS_DIRECTORY",)
_SETTINGS = "OPSCTL_"
_SECRETS = (
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), r"\1:********@"),
    (re.compile(r"(?i)\b(password|passwd|secret|token|api[_-]?key)(\s*[=:]\s*)\S+"), r"\1\2********"),
    (re.compile(r"AGE-SECRET-KEY-[0-9A-Z]+"), "********"),
)
_OUTCOMES = {int(ExitCode.DONE): Outcome.PASSED, int(ExitCode.PARTIAL): Outcome.COULD_NOT_RUN}


@dataclass
class Jobs:
    """Runs the jobs of a machine, at most one of each name at a time, even across processes.

    `running` are the programs that run now: whoever ends early has to `stop` them, after which none begins any more.
    """

    machine: Machine
    ledger: Ledger
    listener: Listener
    running: set[Child] = field(default_factory=set)
    ending: bool = False

    def run(self, planned: Planned, *, lock_wait_s: float = 0.0) -> Record[JobBody]:
        """Run a job to its end and write down how it ended.

        Raises LockedError when it runs already. When this process is told to end, the job ends first, and is recorded.
        """
        name = planned.job.name
        with lock(self.machine.lock_dir, lock_name(name), doing=f"job {name}", wait_s=lock_wait_s):
            return self._run(planned)

    def stop(self) -> None:
        """End what runs now, as systemd would: with notice, then without."""
        self.ending = True
        for child in tuple(self.running):
            stop(child, grace_s=GRACE_S)

    def _run(self, planned: Planned) -> Record[JobBody]:
        job, started, timed_out = planned.job, utcnow(), False
        child: Child | None = None
        with tempfile.TemporaryFile() as said:
            try:
                self.listener.started(job)
                child = spawn(command_of(self.machine, planned), stdin=None, stdout=said, stderr=said)
                self.running.add(child)
                timed_out = not self.ending and not ended(child, job.timeout_s)
            finally:  # also when this process is told to end
                status = self._stopped(child)
                record = self._record(planned, started, status, tail(said), timed_out=timed_out)
                self._write(planned, record)
        return record

    def _stopped(self, child: Child | None) -> int:
        """The status of a program that has ended, or is ended now; 127, as a shell has it, of one never started."""
        if child is None:
            return _NEVER_STARTED
        status: int = child.returncode if child.poll() is not None else stop(child, grace_s=GRACE_S)
        self.running.discard(child)
        return status

    def _record(
        self, planned: Planned, started: datetime, status: int, said: str, *, timed_out: bool
    ) -> Record[JobBody]:
        job, finished = planned.job, utcnow()
        exit_code = status if status >= 0 else 128 - status
        left = self._left(job.expects, started)
        outcome = _OUTCOMES.get(exit_code, Outcome.FAILED) if left and not timed_out else Outcome.FAILED
        return Record[JobBody](
            kind=KIND,
            version=VERSION,
            subject=self.machine.stack,
            started=started,
            finished=finished,
            outcome=outcome,
            fresh_until=fresh_until(planned, finished) if outcome is Outcome.PASSED else None,
            body=JobBody(
                job=job.name,
                argv=job.argv,
                exit_code=exit_code,
                timed_out=timed_out,
                timeout_s=job.timeout_s,
                expects=job.expects,
                left_record=left,
                last_lines=last_lines(said),
            ),
        )

    def _left(self, kind: str, started: datetime) -> bool:
        """Whether a record of a kind was written since. A ledger that cannot say so raises when ours is written."""
        try:
            return any(True for _ in self.ledger.query(kind, since=started))
        except OpsError:
            return False

    def _write(self, planned: Planned, record: Record[JobBody]) -> None:
        """Write the record, and tell: a ledger that takes none is one more reason to be heard."""
        try:
            self.ledger.append(record)
        finally:
            self.listener.finished(planned.job, record.outcome, record.body.last_lines, record)


def lock_name(job: str) -> str:
    """The name of the lock that a run of a job holds."""
    return f"job-{job}"


def fresh_until(planned: Planned, finished: datetime) -> datetime:
    """When a run proves nothing any more (UTC): the next one has had its time."""
    late = timedelta(seconds=planned.delay_s + planned.job.timeout_s)
    return planned.calendar.after(finished) + late


def command_of(machine: Machine, planned: Planned) -> Command:
    """The words that run a job. What this process was told of settings and credentials, the job is told."""
    words = (sys.executable, "-m", "opsctl", "--config", str(machine.config), *planned.job.argv)
    told = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS) or name in _KEPT}
    return Command(words, env=told, shown=("opsctl", *planned.job.argv))


def last_lines(text: str) -> tuple[str, ...]:
    """The end of what a program said: what can be printed of it, and no secrets that have a known form."""
    lines = ("".join(char if char.isprintable() else " " for char in line).rstrip() for line in text.splitlines())
    return tuple(_masked(line) for line in lines if line)[-LAST_LINES:]


def _masked(line: str) -> str:
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line
