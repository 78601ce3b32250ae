"""The service that runs jobs where there is neither systemd nor cron; APScheduler keeps its time.

A run that was missed while the service was not there is caught up when it begins, and one that is due when the clock
was set is found within seconds. A job that still runs when it is due again is not started a second time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, NoReturn

from opsctl.core.errors import LockedError, OpsError
from opsctl.core.locks import lock
from opsctl.core.record import Record
from opsctl.schedule.calendar import Calendar, Rule, listed
from opsctl.schedule.machine import Planned
from opsctl.schedule.records import JobBody
from opsctl.schedule.run import Jobs
from opsctl.schedule.standing import note_scheduled, standings

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.base import BaseTrigger

LOOK_S = 5.0
_LOOKS_FOR_MISSED = 12
# The clock was set when it moved this many seconds more or less than time itself.
_SET_S = 2.0

Tell = Callable[[str, Record[JobBody] | OpsError], None]


@dataclass
class Clock:
    """Notices when the wall clock was set, or the machine slept."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _offset: float = field(init=False)

    def __post_init__(self) -> None:
        self._offset = self.wall() - self.steady()

    def was_set(self) -> bool:
        """Whether that happened since the last look."""
        before, self._offset = self._offset, self.wall() - self.steady()
        return abs(self._offset - before) > _SET_S


def serve(jobs: Jobs, plan: Sequence[Planned], tell: Tell) -> NoReturn:
    """Run the jobs when they are due until this process is told to end; then what runs ends, too.

    `tell` hears of each run, by the job's name, from other threads. Raises LockedError when a service runs already.
    """
    enabled, clock = [each for each in plan if each.enabled], Clock()
    with lock(jobs.machine.lock_dir, "schedule-serve", doing="schedule serve"):
        note_scheduled(jobs.machine, plan)
        scheduler = _scheduler(len(enabled))
        service = _Service(jobs, enabled, tell, scheduler)
        try:
            service.start()
            look = 0
            while True:
                time.sleep(LOOK_S)
                look += 1
                if clock.was_set():
                    service.begin_anew()
                elif look % _LOOKS_FOR_MISSED == 0:
                    service.catch_up()
        finally:
            service.end()


@dataclass
class _Service:
    jobs: Jobs
    plan: Sequence[Planned]
    tell: Tell
    scheduler: "BackgroundScheduler"

    def start(self) -> None:
        self._schedule()
        self.scheduler.start()
        self.catch_up()

    def begin_anew(self) -> None:
        """After the clock was set: when each job is due next is reckoned from now, and what was passed over is run."""
        self.scheduler.remove_all_jobs()
        self._schedule()
        self.catch_up()

    def end(self) -> None:
        self.scheduler.remove_all_jobs()
        self.jobs.stop()
        self.scheduler.shutdown(wait=True)

    def _schedule(self) -> None:
        for each in self.plan:
            self.scheduler.add_job(self._run, trigger(each.calendar), args=[each], id=each.job.name)

    def catch_up(self) -> None:
        """Start what should have begun and did not."""
        for standing in standings(self.plan, self.jobs.machine, self.jobs.ledger):
            if standing.missing is not None:
                name = standing.planned.job.name
                self.scheduler.add_job(self._run, args=[standing.planned], id=f"{name}-missed", replace_existing=True)

    def _run(self, planned: Planned) -> None:
        """One run in a thread. A job that runs already is left to run."""
        try:
            self.tell(planned.job.name, self.jobs.run(planned))
        except LockedError:
            return
        except OpsError as error:
            self.tell(planned.job.name, error)


def trigger(calendar: Calendar) -> "BaseTrigger":
    """A calendar as APScheduler has it."""
    from apscheduler.triggers.combining import OrTrigger

    return OrTrigger([_trigger(rule) for rule in calendar.rules])


def _trigger(rule: Rule) -> "BaseTrigger":
    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger(
        month=listed(rule.months),
        day=listed(rule.days),
        day_of_week=listed(rule.weekdays),
        hour=listed(rule.hours),
        minute=listed(rule.minutes),
        second=listed(rule.seconds),
        timezone=UTC,
    )


def _scheduler(jobs: int) -> "BackgroundScheduler":
    """Each job has a thread, so that none waits for another; being late is no reason not to run."""
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    return BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(2 * jobs + 1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
