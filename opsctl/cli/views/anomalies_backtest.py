"""Answer of `opsctl anomalies backtest`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from anomaly_rules.backtest.run import Result
from anomaly_rules.words import moment
from opsctl.cli.output import Document, Painter
from opsctl.cli.table import figures, table
from opsctl.core.rule import Evidence
from opsctl.core.words import counted

_MOST = 40


class AlarmRow(BaseModel):
    """A finding that would have opened: judged `at`, about what was from `since` on (UTC)."""

    at: datetime
    since: datetime
    labels: dict[str, str]
    sentence: str
    evidence: Evidence


class ScoreRow(BaseModel):
    """Alarms against what was wrong; delays in hours from a window's start. None: there is nothing to divide by."""

    windows: int
    windows_found: int
    alarms_right: int
    alarms_wrong: int
    precision: float | None
    recall: float | None
    delay_hours_median: float | None


class AnomaliesBacktest(Document):
    """What a rule would have found in given series. Without windows every alarm counts as false."""

    kind: Literal["anomalies-backtest"] = "anomalies-backtest"
    rule_kind: str
    every: str
    series: int
    values: int
    judged_years: float
    notes: tuple[str, ...]
    alarms: tuple[AlarmRow, ...]
    false_alarms_a_year: float | None
    score: ScoreRow | None


def backtested(rule_kind: str, result: Result) -> AnomaliesBacktest:
    """Collect."""
    found = result.score
    scored = ScoreRow(
        windows=found.windows,
        windows_found=found.found,
        alarms_right=found.right,
        alarms_wrong=found.wrong,
        precision=found.precision,
        recall=found.recall,
        delay_hours_median=found.delay_hours,
    )
    return AnomaliesBacktest(
        rule_kind=rule_kind,
        every=result.table.cadence.value,
        series=len(result.table.found),
        values=sum(len(series.times) for series in result.table.found.values()),
        judged_years=round(result.replayed.judged.days / 365.25, 3),
        notes=result.table.notes,
        alarms=tuple(
            AlarmRow(
                at=alarm.at,
                since=alarm.since,
                labels=dict(alarm.labels),
                sentence=alarm.sentence,
                evidence=alarm.evidence,
            )
            for alarm in result.replayed.alarms
        ),
        false_alarms_a_year=found.false_a_year,
        score=scored if result.windows is not None else None,
    )


def backtest_text(document: AnomaliesBacktest, paint: Painter) -> Iterator[str]:
    """Write what was done to the series, the alarms, and the score."""
    for note in document.notes:
        yield paint(f"note: {note}", "yellow")
    rows = [(moment(alarm.at)[:16], moment(alarm.since)[:16], alarm.sentence) for alarm in document.alarms[:_MOST]]
    if rows:
        yield from table(("alarm (UTC)", "about", "what"), rows, paint)
    if len(document.alarms) > _MOST:
        yield f"and {len(document.alarms) - _MOST:,} more: --json has all"
    yield ""
    yield from figures(list(_pairs(document)), paint)


def _pairs(document: AnomaliesBacktest) -> Iterator[tuple[str, str]]:
    yield "rule", f"{document.rule_kind}, {document.every}"
    judged = f"{document.judged_years:.2f} years judged"
    yield "series", f"{document.series:,} with {counted(document.values, 'value')}, {judged}"
    yield "alarms", f"{len(document.alarms):,}"
    if document.score is not None:
        score = document.score
        yield "precision", _share(score.precision, f"{score.alarms_right} of {len(document.alarms)} alarms are right")
        yield "recall", _share(score.recall, f"{score.windows_found} of {score.windows} windows found")
        delay = score.delay_hours_median
        yield "delay", "nothing found" if delay is None else f"{delay:.1f} h after a window's start (median)"
    yearly = document.false_alarms_a_year
    name = "false alarms" if document.score is not None else "alarms"
    yield name, "too little history to judge" if yearly is None else f"{yearly:.2f} a year"


def _share(value: float | None, how: str) -> str:
    return f"none ({how})" if value is None else f"{value * 100:.0f} % ({how})"
