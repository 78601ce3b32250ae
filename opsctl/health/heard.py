"""What people and watchers hear of a look: trouble, gauges, and a line."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.errors import OpsError
from opsctl.core.notify.notifier import Notifier
from opsctl.core.notify.outbox import Trouble
from opsctl.core.notify.settings import NotifySection
from opsctl.core.notify.signs import Gauge, write_line, write_textfile
from opsctl.core.result import Outcome, Result, outcome_of
from opsctl.core.rule import Severity
from opsctl.core.words import counted
from opsctl.health.run import Report

SCOPE = "health"
TEXTFILE = "opsctl_health"
# What visitors notice at once; everything else has until tomorrow.
_CRITICAL = frozenset({"visit", "php", "unit", "database", "disk", "inodes", "host"})


class HealthLine(BaseModel):
    """The line in `notify.health_file`; times are UTC, `wrong` are the names of what failed or could not be checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    kind: Literal["health-line"] = "health-line"
    stack: str
    at: datetime
    outcome: Outcome
    passed: int
    failed: int
    could_not_run: int
    wrong: tuple[str, ...]
    maintenance_until: datetime | None


def tell(notifier: Notifier, report: Report, *, whole: bool) -> None:
    """Tell what began and what ended. During maintenance nobody is told of either.

    A look that was not at the `whole` says nothing about the rest.
    """
    if report.hands_off is not None:
        return
    seen = list(_troubles(report))
    unjudged = _unjudged(report.results)
    if not whole:
        looked_at = {name for result in report.results for name in (_fingerprint(result.id), _unknown(result.id))}
        unjudged += tuple(name for name in notifier.known() if name not in looked_at)
    notifier.hear(SCOPE, seen, unjudged=unjudged)


def _troubles(report: Report) -> Iterator[Trouble]:
    for result in report.results:
        if result.outcome is Outcome.FAILED:
            severity = Severity.CRITICAL if result.id.split(".")[0] in _CRITICAL else Severity.WARNING
            yield _trouble(result, _fingerprint(result.id), severity, f"FAILED: {result.title}")
        elif result.outcome is Outcome.COULD_NOT_RUN:
            title = f"could not be checked: {result.title}"
            yield _trouble(result, _unknown(result.id), Severity.WARNING, title)
    for recovery in report.recoveries:
        if recovery.action == "gave_up":
            yield Trouble(
                fingerprint=f"{SCOPE}/gave_up/{recovery.unit}",
                severity=Severity.CRITICAL,
                title=f"restarting {recovery.unit} does not help",
                text=f"{recovery.check}: {recovery.before}\n{recovery.unit}: {recovery.after}\n"
                f"Try: systemctl status {recovery.unit}",
            )
    for unit, restarts in report.restarts.items():
        yield Trouble(
            fingerprint=f"{SCOPE}/restarted/{unit}",
            severity=Severity.WARNING,
            title=f"{unit} had to be restarted",
            text=f"{counted(restarts, 'time')} within the last hour\nTry: opsctl ledger list --kind recovery",
        )


def _trouble(result: Result, fingerprint: str, severity: Severity, title: str) -> Trouble:
    text = f"{result.found}\nExpected: {result.expected}\nTry: {result.hint or 'opsctl health run'}"
    return Trouble(fingerprint=fingerprint, severity=severity, title=title, text=text)


def _fingerprint(check: str) -> str:
    return f"{SCOPE}/{check}"


def _unknown(check: str) -> str:
    return f"{_fingerprint(check)}?"


def _unjudged(results: Sequence[Result]) -> tuple[str, ...]:
    """What failed before and cannot be looked at now has not ended."""
    return tuple(_fingerprint(result.id) for result in results if result.outcome is Outcome.COULD_NOT_RUN)


def show(section: NotifySection, stack: str, report: Report) -> list[str]:
    """Write the textfile and the line where the settings want them; sentences about what could not be written."""
    problems: list[str] = []
    try:
        if section.textfile_dir is not None:
            write_textfile(section.textfile_dir, TEXTFILE, gauges(stack, report))
        if section.health_file is not None:
            write_line(section.health_file, line(stack, report))
    except OpsError as error:
        problems.append(str(error))
    return problems


def gauges(stack: str, report: Report) -> list[Gauge]:
    """The look as metrics."""
    passed = [
        ({"stack": stack, "check": result.id}, float(result.passed))
        for result in report.results
        if result.outcome is not Outcome.COULD_NOT_RUN
    ]
    numbers = [
        ({"stack": stack, "check": result.id, "figure": name}, float(value))
        for result in report.results
        for name, value in result.figures.items()
        if isinstance(value, int | float)
    ]
    own = {"stack": stack}
    return [
        Gauge(
            "opsctl_health_run_timestamp_seconds", "When health was looked at.", [(own, report.finished.timestamp())]
        ),
        Gauge("opsctl_health_maintenance", "Whether there is maintenance.", [(own, float(bool(report.maintenance)))]),
        Gauge("opsctl_health_check_passed", "Whether a check passed; absent when it could not be made.", passed),
        Gauge("opsctl_health_figure", "What a check measured.", numbers),
    ]


def line(stack: str, report: Report) -> HealthLine:
    """The look as one line."""
    counts = {outcome: sum(result.outcome is outcome for result in report.results) for outcome in Outcome}
    return HealthLine(
        stack=stack,
        at=report.finished,
        outcome=outcome_of(report.results),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        could_not_run=counts[Outcome.COULD_NOT_RUN],
        wrong=tuple(result.id for result in report.results if not result.passed),
        maintenance_until=report.maintenance.until if report.maintenance else None,
    )
