"""Recovery by policy: restart a unit, at most so often an hour, then stop and call a person."""

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from opsctl.core.clock import utcnow
from opsctl.core.errors import LockedError, OpsError
from opsctl.core.locks import lock
from opsctl.core.probe import Probe
from opsctl.core.process import command
from opsctl.core.record import Record
from opsctl.core.result import Outcome, Result
from opsctl.core.room import full
from opsctl.core.words import counted
from opsctl.health.context import Patient
from opsctl.health.records import RECOVERY, VERSION, RecoveryBody
from opsctl.health.settings import RecoverySection

RESTART_TIMEOUT_S = 90.0
POLL_S = 0.25
HOUR = timedelta(hours=1)
ROOM_BYTES = 1 << 20


def recover(patient: Patient, results: list[Result]) -> tuple[RecoveryBody, ...]:
    """Do what the settings allow about the results that failed, and put how they are then in their places.

    Each act is a record in the ledger, by which the next run counts; without room for it nothing is done. Another run
    that is at it is left alone. Raises OpsError.
    """
    wanted = list(_wanted(patient, results))
    if not wanted:
        return ()
    _require_room(patient.machine.state_dir)
    done: list[RecoveryBody] = []
    with contextlib.suppress(LockedError), _alone(patient):
        for policy, numbers in wanted:
            done.append(_one(patient, policy, numbers, results))
    return tuple(done)


def restarts_of_the_hour(patient: Patient, at: datetime) -> dict[str, int]:
    """How often each unit was restarted within the hour before a moment (UTC)."""
    found: dict[str, int] = {}
    for entry in patient.ledger.query(RECOVERY, patient.stack, since=at - HOUR):
        body = entry.record_of(RecoveryBody).body
        if body.action == "restarted":
            found[body.unit] = found.get(body.unit, 0) + 1
    return found


def _wanted(patient: Patient, results: list[Result]) -> Iterator[tuple[RecoverySection, list[int]]]:
    """Each policy with the failed results it is for; the first policy that names a check has it."""
    taken: set[int] = set()
    for policy in patient.recoveries:
        numbers = [
            number
            for number, result in enumerate(results)
            if result.outcome is Outcome.FAILED
            and number not in taken
            and any(fnmatchcase(result.id, pattern) for pattern in policy.checks)
        ]
        taken.update(numbers)
        if numbers:
            yield policy, numbers


def _require_room(directory: Path) -> None:
    place = next(place for place in (directory, *directory.parents) if place.exists())
    found = os.statvfs(place)
    if found.f_bavail * found.f_frsize < ROOM_BYTES:
        raise full(directory, "nothing is restarted that could not be recorded")


def _alone(patient: Patient) -> contextlib.AbstractContextManager[None]:
    return lock(patient.machine.lock_dir, f"recovery-{patient.stack}", doing="recovery by health run")


def _one(patient: Patient, policy: RecoverySection, numbers: list[int], results: list[Result]) -> RecoveryBody:
    started = utcnow()
    check, before = results[numbers[0]].id, results[numbers[0]].found
    restarts = restarts_of_the_hour(patient, started).get(policy.unit, 0)
    if restarts >= policy.per_hour:
        after = f"it was restarted {counted(restarts, 'time')} within the hour: a person has to look"
        body = RecoveryBody(
            check=check, unit=policy.unit, action="gave_up", restarts=restarts, before=before, after=after
        )
        if not _gave_up_before(patient, policy.unit, started):
            _record(patient, body, started, passed=False)
        return body
    problem = _restart(patient, policy.unit)
    after = problem or _settled(patient, policy, numbers, results)
    body = RecoveryBody(
        check=check, unit=policy.unit, action="restarted", restarts=restarts + 1, before=before, after=after
    )
    _record(patient, body, started, passed=all(results[number].passed for number in numbers))
    return body


def _gave_up_before(patient: Patient, unit: str, at: datetime) -> bool:
    entries = patient.ledger.query(RECOVERY, patient.stack, since=at - HOUR)
    bodies = (entry.record_of(RecoveryBody).body for entry in entries)
    return any(body.unit == unit and body.action == "gave_up" for body in bodies)


def _restart(patient: Patient, unit: str) -> str | None:
    """Restart; the reason why it could not be."""
    try:
        # A unit that failed too often in too short a time would refuse to start.
        patient.runner.run(command("systemctl", "reset-failed", "--", unit), timeout_s=RESTART_TIMEOUT_S)
        done = patient.runner.run(command("systemctl", "restart", "--", unit), timeout_s=RESTART_TIMEOUT_S)
    except OpsError as error:
        return str(error)
    return None if done.ok else f"systemctl restart exited with {done.status}: {done.stderr.strip()[-300:]}"


def _settled(patient: Patient, policy: RecoverySection, numbers: list[int], results: list[Result]) -> str:
    """Look again until all pass or the time is over; what the last look found."""
    probes: dict[str, Probe] = {probe.id: probe for probe in patient.probes}
    end = time.monotonic() + policy.settle_s
    while True:
        for number in numbers:
            results[number] = probes[results[number].id].run(patient.runner)
        bad = [results[number] for number in numbers if not results[number].passed]
        if not bad or time.monotonic() >= end:
            return (bad or [results[numbers[0]]])[0].found
        time.sleep(POLL_S)


def _record(patient: Patient, body: RecoveryBody, started: datetime, *, passed: bool) -> None:
    patient.ledger.append(
        Record(
            kind=RECOVERY,
            version=VERSION,
            subject=patient.stack,
            started=started,
            finished=utcnow(),
            outcome=Outcome.PASSED if passed else Outcome.FAILED,
            fresh_until=None,
            body=body,
        )
    )
