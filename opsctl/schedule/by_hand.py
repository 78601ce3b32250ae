"""Jobs that somebody starts: a person, a timer, or cron."""

from collections.abc import Sequence

from opsctl.core.errors import LockedError, SettingsError
from opsctl.core.record import Record
from opsctl.schedule.machine import Planned
from opsctl.schedule.records import JobBody
from opsctl.schedule.run import Jobs
from opsctl.schedule.standing import standings


def run_one(jobs: Jobs, planned: Planned, *, user: str, lock_wait_s: float) -> Record[JobBody]:
    """Run a job now. Raises LockedError when it runs already, SettingsError for another user than the job's own.

    What another user leaves behind, the job's own could not go on with.
    """
    if user != planned.user:
        raise SettingsError(
            f"the job '{planned.job.name}' runs as '{planned.user}', and this is '{user}'",
            hint=f"systemctl start opsctl-{planned.job.name}, or: runuser -u {planned.user} -- opsctl schedule run …",
        )
    return jobs.run(planned, lock_wait_s=lock_wait_s)


def run_missed(jobs: Jobs, plan: Sequence[Planned], *, user: str) -> tuple[Record[JobBody], ...]:
    """Run every job of this user that should have begun and did not, one after the other."""
    done = []
    for standing in standings([each for each in plan if each.user == user], jobs.machine, jobs.ledger):
        if standing.missing is None:
            continue
        try:
            done.append(jobs.run(standing.planned))
        except LockedError:  # somebody else has begun it just now
            continue
    return tuple(done)
