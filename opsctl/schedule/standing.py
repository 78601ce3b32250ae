"""How each job stands: when it ran last, when it runs next, and whether a run is missing."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from opsctl.core.clock import iso, parse_instant, utcnow
from opsctl.core.durable import locked_directory, replace_file
from opsctl.core.errors import OpsError
from opsctl.core.ledger import Entry, Ledger
from opsctl.core.locks import held
from opsctl.core.record import Record
from opsctl.schedule.machine import Machine, Planned
from opsctl.schedule.records import KIND, JobBody
from opsctl.schedule.run import lock_name

SINCE_FILE = "schedule.json"
# A start may be this late, in seconds, before it counts as missing: a machine under load, timers that coalesce.
SLACK_S = 120.0
_LOOK_BACK = timedelta(days=60)
# What a record says elsewhere has its quotes escaped.
_JOB = re.compile(rb'"job":"([a-z0-9-]+)"')


@dataclass(frozen=True)
class Standing:
    """One job at a moment; all times are UTC.

    `last` is its newest run within 60 days, and `before` when the one before that began; `since` when it began to be
    scheduled on this machine, None when it is not; `running` who runs it now, in words.
    """

    planned: Planned
    at: datetime
    last: Record[JobBody] | None
    before: datetime | None
    since: datetime | None
    running: str | None
    next: datetime

    @property
    def missing(self) -> datetime | None:
        """The newest moment of its calendar that no run followed, though one should have by now."""
        if self.since is None or not self.planned.enabled or self.running is not None:
            return None
        due = self.planned.calendar.until(self.at)
        begun = max(self.since, self.last.started) if self.last else self.since
        allowed = timedelta(seconds=self.planned.delay_s + SLACK_S)
        return due if begun < due and self.at > due + allowed else None

    @property
    def late_s(self) -> float:
        """Seconds for which a run is missing; 0 when none is."""
        return 0.0 if self.missing is None else (self.at - self.missing).total_seconds()

    @property
    def last_late_s(self) -> float:
        """Seconds by which the last run began after its time; 0 for one that was not due, but made by hand."""
        if self.last is None or self.since is None:
            return 0.0
        due = self.planned.calendar.until(self.last.started)
        answered = max(self.since, self.before) if self.before else self.since
        return 0.0 if answered >= due else (self.last.started - due).total_seconds()


def standings(
    plan: Sequence[Planned], machine: Machine, ledger: Ledger, *, at: datetime | None = None
) -> tuple[Standing, ...]:
    """How all jobs of the machine stand, by default now."""
    now = utcnow() if at is None else at
    newest: dict[str, list[Entry]] = {}
    for entry in ledger.query(KIND, machine.stack, now - _LOOK_BACK):
        found = _JOB.search(entry.payload)
        if found is not None:
            newest[found[1].decode()] = [*newest.get(found[1].decode(), [])[-1:], entry]
    runs = {name: [entry.record_of(JobBody) for entry in entries] for name, entries in newest.items()}
    since = scheduled_since(machine.state_dir)
    return tuple(
        Standing(
            planned=each,
            at=now,
            last=next(reversed(runs.get(each.job.name, [])), None),
            before=next((run.started for run in runs.get(each.job.name, [])[-2:-1]), None),
            since=since.get(each.job.name),
            running=held(machine.lock_dir, [lock_name(each.job.name)]),
            next=each.calendar.after(now),
        )
        for each in plan
    )


def scheduled_since(state_dir: Path) -> dict[str, datetime]:
    """Since when each job is scheduled on this machine (UTC). Raises OpsError when that cannot be read."""
    path = state_dir / SINCE_FILE
    try:
        return {name: parse_instant(text) for name, text in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise OpsError(
            f"since when jobs are scheduled cannot be read: {error}",
            where=str(path),
            hint=f"remove it, and count from now: rm {path} && opsctl schedule install",
        ) from error


def note_scheduled(machine: Machine, plan: Sequence[Planned], *, at: datetime | None = None) -> None:
    """Write down that these jobs, and no others, are scheduled from now on; one that was before keeps its time."""
    now = utcnow() if at is None else at
    with locked_directory(machine.state_dir):
        known = scheduled_since(machine.state_dir)
        since = {each.job.name: iso(known.get(each.job.name, now)) for each in plan if each.enabled}
        if since != {name: iso(moment) for name, moment in known.items()}:
            replace_file(machine.state_dir / SINCE_FILE, json.dumps(since, indent=1).encode())
