"""Anomaly rules over simulated years (benchmarks/anomaly_series.py): false alarms, what is found, and how soon.

Everything goes through the engine and the life of findings, as live: an alarm is a finding that opened. Daily series
are judged once a day at 06:00, hourly ones at the end of each hour. Delays are counted as the aims have them: days from
the first evaluated day of a fault (0 is that day), hours from an outage's onset.
"""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from anomaly_rules.engine import judge
from anomaly_rules.metric import Cadence, Metric
from benchmarks import anomaly_series as made
from benchmarks.anomaly_years import Years, beginning, in_processes, opened, rule
from opsctl.core.rule import Labels, MetricId

HOURLY_YEARS = 60
DISKS = 400
LABELLED = 100
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)

SPEND = Metric(id=MetricId("spend"), title="spend", cadence=Cadence.DAILY, unit="USD")
LATE = SPEND.model_copy(update={"settle_days": 1.0})
BILL = SPEND.model_copy(update={"labels": ("service",), "absent": "zero", "settle_days": 1.0})
CALLS = Metric(id=MetricId("calls"), title="calls", cadence=Cadence.HOURLY, unit="calls")
USED = Metric(id=MetricId("used"), title="disk", cadence=Cadence.DAILY, unit="share", form="gauge")


_DAILY = ("outlier", "shift", "flatline")
_WATCHED = {"seven days at 0": 7, "drop to 40%": 7, "spike x2": 4}


@dataclass(frozen=True)
class DailyYear:
    """One year: false alarms by kind, and for each fault the first day on which each kind found it."""

    false: Mapping[str, int]
    found: Mapping[str, Mapping[str, int]]


def daily_year(seed: int, *, late: bool) -> DailyYear:
    """Judge one year without and with each fault."""
    year = made.spend(seed)
    metric = LATE if late else SPEND
    rules = tuple(rule(kind, metric, year.holidays) for kind in _DAILY)
    known = year.known if late else None

    def samples(values: made.Values) -> Years:
        return Years(metric, beginning(year.first), {(): values}, known)

    alarms = opened(rules, samples(year.values), range(made.HISTORY_DAYS, made.DAYS))
    start = made.fault_start(year)
    found: dict[str, dict[str, int]] = {}
    for fault in made.DAILY_FAULTS:
        days = range(start, start + _WATCHED.get(fault, 30))
        found[fault] = {}
        for day, body in opened(rules, samples(made.broken(year, fault, start).values), days):
            found[fault].setdefault(body.rule, day - start)
    return DailyYear({kind: sum(body.rule == kind for _, body in alarms) for kind in _DAILY}, found)


def daily_on_time(seed: int) -> DailyYear:
    """A year whose values are known at the end of each day."""
    return daily_year(seed, late=False)


def daily_late(seed: int) -> DailyYear:
    """A year whose values become known over four days."""
    return daily_year(seed, late=True)


def show_daily(title: str, years: list[DailyYear]) -> None:
    """Print false alarms and what was found."""
    print(f"\n{title}: {len(years)} years")
    for kind in _DAILY:
        print(f"  {kind:<10} {statistics.mean(year.false[kind] for year in years):5.2f} false alarms a year (aim: 1)")
    for fault in made.DAILY_FAULTS:
        line = []
        for kind in (*_DAILY, "any"):
            days = [
                min(found.values()) if kind == "any" else found[kind]
                for year in years
                if (found := year.found[fault]) and (kind == "any" or kind in found)
            ]
            line.append(f"{kind} {_share(len(days), len(years))}" + (f"/{statistics.median(days):.0f}" if days else ""))
        print(f"  {fault:<16} " + "   ".join(line))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "none"


@dataclass(frozen=True)
class Silence:
    """One year of an hourly series: false alarms, and the hours after which a day's silence was found, or None."""

    false: int | None
    hours: int | None
    expected: float


def _silence(year: made.Hourly, kind: str, false_alarms: bool) -> Silence:
    judging = (rule(kind, CALLS, year.holidays),)
    first = beginning(year.first)
    false = None
    if false_alarms:
        whole = Years(CALLS, first, {(): year.values})
        false = len(opened(judging, whole, range(made.HISTORY_DAYS * 24, made.HOURS)))
    start = made.silence_start(year)
    broken = Years(CALLS, first, {(): made.silent(year, start, 24).values})
    alarms = opened(judging, broken, range(start, start + 24))
    hours = alarms[0][0] - start + 1 if alarms else None
    return Silence(false, hours, float(year.rate[start : start + 24].sum()))


def calls_silence(seed: int) -> Silence:
    """Calls: the kind that the rule for them is of."""
    return _silence(made.calls(seed), "flatline", seed < HOURLY_YEARS)


def ingestion_silence(seed: int) -> Silence:
    """Rows that arrive."""
    return _silence(made.ingestion(seed), "gap", seed < HOURLY_YEARS)


def show_silence(title: str, years: list[Silence], aim: str) -> None:
    """Print false alarms, what was found, and what was missed with the events that were expected in its 24 hours."""
    found = [year.hours for year in years if year.hours is not None]
    false = [year.false for year in years if year.false is not None]
    print(f"\n{title}  (aim: {aim})")
    print(f"  {statistics.mean(false):.2f} false alarms a year over {len(false)} years")
    middle, last = statistics.median(found), np.percentile(found, 90)
    print(f"  {_share(len(found), len(years))} found within 24 h; median {middle:.1f} h, 90% in {last:.0f} h")
    missed = sorted(year.expected for year in years if year.hours is None)
    if missed:
        print(f"  missed, by the events expected in 24 h: {', '.join(f'{each:.1f}' for each in missed)}")
    enough = [year for year in years if year.expected >= 24]
    seen = sum(year.hours is not None for year in enough)
    print(f"  where at least one event an hour is expected: {_share(seen, len(enough))} of {len(enough)}")


def bill_year(seed: int) -> tuple[int, int | None]:
    """A year of services: false alarms, and the day after the new one's first on which it was found."""
    year = made.bill(seed)
    judging = (rule("labels", BILL, floor=0.1),)
    first = beginning(year.first)
    known = made.spend(seed).known
    own: dict[Labels, made.Values] = {(("service", name),): values for name, values in year.services.items()}
    days = range(made.HISTORY_DAYS, made.DAYS, 1)
    false = len(opened(judging, Years(BILL, first, own, known), days))
    new: Labels = (("service", "new"),)
    broken = Years(BILL, first, {**own, new: year.new}, known)
    alarms = opened(judging, broken, range(year.start, year.start + 14))
    return false, next((day - year.start for day, body in alarms if body.labels == new), None)


def show_bills(years: list[tuple[int, int | None]]) -> None:
    """Print how new services were found."""
    days = [day for _, day in years if day is not None]
    print("\nnew service with a tenth of the total, late data  (aim: day 0, at most 1 false alarm)")
    print(f"  {statistics.mean(false for false, _ in years):.2f} false alarms a year")
    same = _share(sum(day == 0 for day in days), len(years))
    print(f"  {_share(len(days), len(years))} found, {same} on its first day")


def disks() -> None:
    """Print how well full disks are foreseen: a disk counts when its trend reaches 100% within 30 days."""
    judging = (rule("forecast", USED, limit=1.0, within_days=30.0),)
    right = wrong = missed = 0
    errors: list[float] = []
    boundary = 0
    for disk in made.disks(DISKS):
        samples = Years(USED, datetime(2026, 1, 1, tzinfo=UTC), {(): disk.values})
        alarms = opened(judging, samples, [len(disk.values) - 1])
        soon = disk.full_in_days <= 30
        right += soon and bool(alarms)
        wrong += not soon and bool(alarms)
        missed += soon and not alarms
        boundary += (soon != bool(alarms)) and 24 <= disk.full_in_days <= 37.5
        for _, body in alarms:
            expected = 30.0 / body.evidence.size
            errors.append(abs(expected - disk.full_in_days) / disk.full_in_days)
    print("\ndisk full within 30 days  (aim: recall and precision 95%)")
    print(f"  recall {_share(right, right + missed)}, precision {_share(right, right + wrong)} of {DISKS} disks")
    print(f"  median error of the day {100 * statistics.median(errors):.1f}%")
    print(f"  {missed + wrong} misjudged, {boundary} of them full in 24 to 37 days")


@dataclass(frozen=True)
class Hours:
    """One labelled hourly series: alarms that are right and wrong, and each fault's delay in hours or None."""

    right: int
    wrong: int
    found: tuple[tuple[str, int | None], ...]


def labelled_series(seed: int) -> Hours:
    """Judge one series of no known kind by the one default."""
    series = made.labelled(seed)
    metric = CALLS.model_copy(update={"form": "gauge", "unit": ""})
    samples = Years(metric, datetime(2026, 1, 1, tzinfo=UTC), {(): series.values})
    hours = [period for period, _ in opened((rule("outlier", metric),), samples, range(96, len(series.values)))]
    hits = [next((hour for hour in hours if begin <= hour <= end), None) for begin, end in series.windows]
    right = sum(any(begin <= hour <= end for begin, end in series.windows) for hour in hours)
    delays = zip(series.faults, hits, (begin for begin, _ in series.windows), strict=True)
    found = tuple((fault, None if hit is None else hit - begin) for fault, hit, begin in delays)
    return Hours(right, len(hours) - right, found)


def show_labelled(series: list[Hours]) -> None:
    """Print precision, recall and delay."""
    right, wrong = sum(each.right for each in series), sum(each.wrong for each in series)
    found = [fault for each in series for fault in each.found]
    delays = [delay for _, delay in found if delay is not None]
    years = len(series) * 86 / 365
    print(f"\nhourly series of six natures, one default  ({len(series)} series of 90 days)")
    recall, precision = _share(len(delays), len(found)), _share(right, right + wrong)
    print(
        f"  precision {precision}, recall {recall}, median delay {statistics.median(delays):.0f} h after the onset hour"
    )
    print(f"  {wrong / years:.2f} false alarms a year and series")
    for fault in made.HOURLY_FAULTS:
        own = [delay for name, delay in found if name == fault]
        print(f"  {fault:<12} {_share(sum(delay is not None for delay in own), len(own))} of {len(own)}")


def speed() -> None:
    """Print how long all kinds take over 1,000 daily series of 400 days, once."""
    names = (*_DAILY, "labels")
    own: dict[str, dict[str, Any]] = {
        "forecast": {"limit": 1e9},
        "threshold": {"above": 1e9},
        "staleness": {"hours": 48},
        "state": {"unchanged_days": 2},
    }
    rules = (*(rule(name, SPEND) for name in names), *(rule(name, SPEND, **params) for name, params in own.items()))
    found: dict[Labels, made.Values] = {}
    for seed in range(1000):
        found[(("service", f"{seed:04}"),)] = made.spend(seed % made.YEARS).values[:400]
    samples = Years(SPEND, datetime(2025, 1, 1, tzinfo=UTC), found)
    at = samples.first + 400 * _DAY + 6 * _HOUR
    judge(rules, samples, at)  # numpy is imported, caches are warm
    started = time.perf_counter()
    answers = judge(rules, samples, at)
    took = time.perf_counter() - started
    verdicts = sum(len(answer.verdicts) for answer in answers)
    print("\nall kinds that judge days, once over 1,000 series of 400 days  (aim: 5 s)")
    print(f"  {took:.2f} s for {len(rules)} rules and {verdicts:,} verdicts")


def main() -> None:
    """Run everything; some minutes."""
    show_daily("daily spend, known at once", in_processes(daily_on_time, made.YEARS))
    show_daily("daily spend, known late", in_processes(daily_late, made.YEARS))
    show_silence(
        "calls, an outage of 24 h at a random hour",
        in_processes(calls_silence, made.YEARS),
        "100% within 24 h, 1 a year",
    )
    show_silence("ingestion, a gap of 24 h", in_processes(ingestion_silence, made.YEARS), "100%, 0.2 a year")
    show_bills(in_processes(bill_year, made.YEARS))
    disks()
    show_labelled(in_processes(labelled_series, LABELLED))
    speed()
