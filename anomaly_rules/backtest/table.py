"""Reads series from a CSV file, and brings them to one value a day or an hour."""

import csv
import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from anomaly_rules.metric import Cadence
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.rule import Labels, Series

By = Literal["mean", "sum", "last", "max", "count"]

_MILLISECONDS_FROM = 1e11
_DAILY_FROM = timedelta(hours=20)
_HOLE = timedelta(days=400)


@dataclass(frozen=True)
class Columns:
    """Which columns to read. `zone` is that of times which name none."""

    time: str
    value: str
    label: str | None
    zone: str


@dataclass(frozen=True)
class Table:
    """Series on a regular grid, and what had to be done to them, in sentences for the reader."""

    cadence: Cadence
    found: Mapping[Labels, Series]
    notes: tuple[str, ...]


Row = tuple[datetime, float]


def read(path: Path, columns: Columns, every: Cadence | None, by: By) -> Table:
    """Read and resample. Raises OpsError when the file, a column or a time in it cannot be used."""
    rows, notes = _rows(path, columns)
    ordered: dict[Labels, list[Row]] = {}
    unordered = twice = 0
    for labels, own in rows.items():
        unordered += any(later[0] < earlier[0] for earlier, later in itertools.pairwise(own))
        ordered[labels] = sorted(own, key=lambda row: row[0])
        twice += len(own) - len({time for time, _ in own})
    if unordered:
        notes.append("rows were not in the order of their times and were sorted")
    if twice:
        notes.append(f"{twice:,} rows repeat a time")
    step = _usual_step(ordered.values())
    cadence = every or (Cadence.DAILY if step >= _DAILY_FROM else Cadence.HOURLY)
    found = {labels: _resampled(own, cadence, by) for labels, own in ordered.items()}
    return Table(cadence, found, (*notes, *_sampling(found, step, cadence, by)))


def _rows(path: Path, columns: Columns) -> tuple[dict[Labels, list[Row]], list[str]]:
    rows: dict[Labels, list[Row]] = defaultdict(list)
    unusable = naive = 0
    zone = ZoneInfo(columns.zone)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _present(path, reader.fieldnames or (), columns)
            for number, row in enumerate(reader, 2):
                time, had_zone = _time(row[columns.time] or "", zone, f"{path}:{number}")
                value = _number(row[columns.value] or "")
                naive += not had_zone
                if value is None:
                    unusable += 1
                    continue
                labels = ((columns.label, row[columns.label] or ""),) if columns.label else ()
                rows[labels].append((time, value))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OpsError(
            f"the series cannot be read: {error}", where=str(path), hint=f"look at it: head {path}"
        ) from error
    if not rows:
        raise OpsError("there is no value in the file", where=str(path), hint=f"look at it: head {path}")
    notes = [f"times name no zone and were read as {columns.zone}"] if naive else []
    notes += [f"{unusable:,} rows without a finite number were left out"] if unusable else []
    return rows, notes


def _present(path: Path, names: Sequence[str], columns: Columns) -> None:
    for wanted in (columns.time, columns.value, columns.label):
        if wanted is not None and wanted not in names:
            raise SettingsError(
                f"the file has no column '{wanted}'", where=str(path), hint=f"it has: {', '.join(names) or 'none'}"
            )


def _time(text: str, zone: ZoneInfo, where: str) -> tuple[datetime, bool]:
    """A time in UTC, and whether it said so: ISO 8601, or seconds or milliseconds since 1970."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        try:
            return datetime.fromtimestamp(number / (1000 if abs(number) >= _MILLISECONDS_FROM else 1), UTC), True
        except (ValueError, OverflowError, OSError):
            raise OpsError(f"'{text}' is no time", where=where, hint="seconds since 1970, or ISO 8601") from None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise OpsError(
            f"'{text}' is no time that means the same everywhere",
            where=where,
            hint="write times as 2026-05-01 02:30:00, with their zone or with --zone, or as seconds since 1970",
        ) from None
    if parsed.tzinfo is None:
        return parsed.replace(tzinfo=zone).astimezone(UTC), False
    return parsed.astimezone(UTC), True


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _usual_step(series: Iterable[list[Row]]) -> timedelta:
    steps = [
        (later[0] - earlier[0]).total_seconds()
        for own in series
        for earlier, later in itertools.pairwise(own)
        if later[0] > earlier[0]
    ]
    return timedelta(seconds=statistics.median(steps)) if steps else timedelta(days=1)


def _resampled(rows: list[Row], cadence: Cadence, by: By) -> Series:
    periods: dict[datetime, list[float]] = defaultdict(list)
    for time, value in rows:
        begin = time.replace(minute=0, second=0, microsecond=0)
        periods[begin.replace(hour=0) if cadence is Cadence.DAILY else begin].append(value)
    return Series(tuple(periods), tuple(_joined(values, by) for values in periods.values()))


def _joined(values: list[float], by: By) -> float:
    if by == "sum":
        return math.fsum(values)
    if by == "mean":
        return math.fsum(values) / len(values)
    if by == "count":
        return float(len(values))
    return values[-1] if by == "last" else max(values)


def _sampling(found: Mapping[Labels, Series], step: timedelta, cadence: Cadence, by: By) -> Iterable[str]:
    name = "day" if cadence is Cadence.DAILY else "hour"
    if step < cadence.step * 0.9 or by == "count":
        yield f"a row every {_words(step)}: resampled to the {by} of each {name}"
    elif step > cadence.step * 1.1:
        yield f"a row every {_words(step)} is judged once an {name}; most periods have no value"
    holes = sum(
        round((series.times[-1] - series.times[0]) / cadence.step) + 1 - len(series.times) for series in found.values()
    )
    if holes:
        yield f"{holes:,} {name}s have no value"
    for series in found.values():
        for earlier, later in zip(series.times, series.times[1:], strict=False):
            if later - earlier > _HOLE:
                yield f"nothing from {earlier:%Y-%m-%d} to {later:%Y-%m-%d}: the clock may have jumped"


def _words(step: timedelta) -> str:
    seconds = step.total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} seconds"
