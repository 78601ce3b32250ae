"""One look at everything: at once, then recovery where the settings allow it, then the record."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.locks import held, is_held
from opsctl.core.record import Record
from opsctl.core.result import Result, outcome_of
from opsctl.health.context import Patient
from opsctl.health.records import HEALTH, VERSION, Finding, HealthBody, RecoveryBody
from opsctl.health.recovery import recover, restarts_of_the_hour
from opsctl.health.state import Maintenance

AT_ONCE = 4
# While one of these is held, whatever fails is somebody's work in progress.
HANDS_OFF = ("restore-*",)
DEPLOYING = Path("/var/lib/opsctl/deploy/lock")
"""Held while a deployment changes this host: by its agent, which knows no settings and so has a place of its own."""


@dataclass(frozen=True)
class Report:
    """What a look found, after recovery. Times are UTC.

    `hands_off` says why nothing was restarted whatever failed; `restarts` counts those of the last hour by unit;
    `unrecorded` why the ledger did not take it: people have to hear of what was found all the same.
    """

    started: datetime
    finished: datetime
    results: tuple[Result, ...]
    recoveries: tuple[RecoveryBody, ...]
    restarts: dict[str, int]
    maintenance: Maintenance | None
    hands_off: str | None
    unrecorded: str | None


def look(patient: Patient) -> list[Result]:
    """Run all probes, several at once; the results in the order of the probes."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="look") as pool:
        return list(pool.map(lambda probe: probe.run(patient.runner), patient.probes))


def health_run(patient: Patient, *, act: bool = True) -> Report:
    """Look, recover, and write the record; without `act` only look. Raises OpsError for what keeps it from looking."""
    started = utcnow()
    results = look(patient)
    reason = _hands_off(patient)
    report = Report(
        started=started,
        finished=utcnow(),
        results=tuple(results),
        recoveries=(),
        restarts={},
        maintenance=patient.maintenance,
        hands_off=reason,
        unrecorded=None,
    )
    if not act:
        return report
    try:
        if reason is None and patient.recoveries:
            recoveries = recover(patient, results)
            restarts = restarts_of_the_hour(patient, utcnow())
            report = replace(report, results=tuple(results), recoveries=recoveries, restarts=restarts)
        report = replace(report, finished=utcnow())
        patient.ledger.append(_record(patient, report))
    except OpsError as error:
        return replace(report, finished=utcnow(), results=tuple(results), unrecorded=str(error))
    return report


def _hands_off(patient: Patient) -> str | None:
    if patient.maintenance is not None:
        return f"maintenance until {patient.maintenance.until:%Y-%m-%d %H:%M} UTC: {patient.maintenance.reason}"
    if is_held(DEPLOYING):
        return "a deployment is changing this host: opsctl deploy status shows whose, from the operator's machine"
    return held(patient.machine.lock_dir, HANDS_OFF)


def _record(patient: Patient, report: Report) -> Record[HealthBody]:
    return Record(
        kind=HEALTH,
        version=VERSION,
        subject=patient.stack,
        started=report.started,
        finished=report.finished,
        outcome=outcome_of(report.results),
        fresh_until=report.finished + timedelta(minutes=patient.health.fresh_min),
        body=HealthBody(
            passed=sum(result.passed for result in report.results),
            findings=tuple(
                Finding(id=result.id, outcome=result.outcome, found=result.found)
                for result in report.results
                if not result.passed
            ),
            maintenance_until=report.maintenance.until if report.maintenance else None,
        ),
    )
