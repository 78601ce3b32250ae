"""`anomalies backtest`: from a CSV file to alarms and a score."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from anomaly_rules.backtest.replay import Replayed, Score, replay, score
from anomaly_rules.backtest.table import By, Columns, Table, read
from anomaly_rules.backtest.truth import Window
from anomaly_rules.backtest.truth import read as read_truth
from anomaly_rules.kinds import KINDS, Context, build
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.spec import RuleSpec
from opsctl.core.errors import SettingsError
from opsctl.core.rule import Labels, MetricId, Rule, Severity

_EVENTS = {"gap", "flatline"}
"""Kinds for which an hour without a row is an hour without events."""


@dataclass(frozen=True)
class Request:
    """What to replay: a file, its columns, how to resample, a kind of rule with parameters, and what was wrong."""

    csv: Path
    columns: Columns
    every: Cadence | None
    by: By | None
    kind: str
    params: Mapping[str, JsonValue]
    truth: Path | None


@dataclass(frozen=True)
class Result:
    """What came of it. `score` is held against windows, or, without any, has only the alarms a year."""

    table: Table
    metric: Metric
    replayed: Replayed
    score: Score
    windows: Mapping[Labels, tuple[Window, ...]] | None


def backtest(request: Request) -> Result:
    """Read, replay, score. Raises OpsError for a file or parameters that cannot be used."""
    if request.kind not in KINDS:
        raise SettingsError(f"there is no kind of rule '{request.kind}'", hint=f"there are: {', '.join(KINDS)}")
    by: By = request.by or ("sum" if request.kind == "gap" else "mean")
    table = read(request.csv, request.columns, request.every, by)
    metric = Metric(
        id=MetricId("value"),
        title=request.columns.value,
        cadence=table.cadence,
        form="sum" if table.cadence is Cadence.DAILY or by in {"sum", "count"} else "gauge",
        absent="zero" if request.kind in _EVENTS and by in {"sum", "count"} else "unknown",
        labels=(request.columns.label,) if request.columns.label else (),
        zone=request.columns.zone if table.cadence is Cadence.HOURLY else "UTC",
    )
    rule = _rule(request, metric)
    windows = None
    if request.truth is not None:
        windows = read_truth(request.truth, request.csv, request.columns.zone, tuple(table.found))
    replayed = replay(rule, metric, table.found)
    return Result(table, metric, replayed, score(replayed, windows or {}), windows)


def _rule(request: Request, metric: Metric) -> Rule:
    spec = RuleSpec(
        id=f"backtest-{request.kind}",
        question="Would it have been found?",
        severity=Severity.WARNING,
        kind=request.kind,
        metric=metric.id,
        params=dict(request.params),
        reason="Given on the command line, or the kind's default.",
        act="",
    )
    return build(spec, Context({metric.id: metric}))


def columns(*, time: str, value: str, label: str | None, zone: str) -> Columns:
    """The columns to read. Raises SettingsError for a zone that does not exist."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise SettingsError(f"there is no time zone '{zone}'", hint="write it like Asia/Kolkata") from None
    return Columns(time, value, label, zone)


def parameters(words: Iterable[str]) -> dict[str, JsonValue]:
    """`name=value` words, values as TOML has them; what is no TOML value is a text. Raises SettingsError."""
    found: dict[str, JsonValue] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise SettingsError(f"'{word}' is no parameter", hint="write it as --param name=value")
        try:
            found[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = text
    return found
