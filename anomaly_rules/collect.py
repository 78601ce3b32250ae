"""`anomalies collect`: reads every source, each on its own, and keeps what is new or has changed."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anomaly_rules.collectors import Collector, Reading, Sample, Span
from anomaly_rules.metric import Metric
from anomaly_rules.store import Read, SampleStore, Written
from opsctl.core.clock import SKEW, iso
from opsctl.core.errors import OpsError
from opsctl.core.progress import Progress
from opsctl.core.rule import Labels, MetricId, SeriesId

REST = "(other)"


@dataclass(frozen=True)
class Limits:
    """The most series of one metric and source, and the days for which samples are kept."""

    max_labels: int
    keep_days: int


@dataclass(frozen=True)
class Collected:
    """How one source was: `why` says what kept it from being read, `notes` what was left out or looks wrong."""

    name: str
    why: str | None
    hint: str | None
    notes: tuple[str, ...]
    written: Written
    duration_s: float


def collect(
    collectors: Iterable[Collector], store: SampleStore, limits: Limits, progress: Progress, *, now: datetime
) -> tuple[Collected, ...]:
    """Read all sources up to `now` (UTC). A source that cannot be read stops no other; its state is kept as well."""
    done = []
    for collector in collectors:
        progress.step(f"reading {collector.name}")
        done.append(_collect(collector, store, limits, now))
    store.forget(now - timedelta(days=limits.keep_days))
    return tuple(done)


def _collect(collector: Collector, store: SampleStore, limits: Limits, now: datetime) -> Collected:
    started = time.monotonic()
    before = store.last_reading(collector.name)
    notes: tuple[str, ...] = ()
    if before is not None and before.at > now + SKEW:
        notes = (f"the clock was set back: it was {iso(before.at)} at the last reading",)
        before = None  # what was read by that clock is not known yet, so all is read again
    good = store.last_reading(collector.name, now, good=True)
    span = Span(_since(collector, before, now), now, good.at if good else None, good.memory if good else {})
    try:
        reading = collector.read(span)
    except Exception as error:  # noqa: BLE001 - whatever one source holds must not silence the others
        until = None if before is None else before.read_until
        why, hint = _told(error)
        store.note(Read(collector.name, now, until, why, notes))
        return Collected(collector.name, why, hint, notes, Written(0, 0), time.monotonic() - started)
    samples, more = _capped(collector, reading, store, limits.max_labels)
    sums = [metric.id for metric in collector.metrics if metric.form == "sum"]
    written = store.write(collector.name, samples, known_at=now, whole=sums, since=span.since)
    notes = (*notes, *reading.notes, *more)
    store.note(Read(collector.name, now, reading.read_until, None, notes, reading.memory))
    return Collected(collector.name, None, None, notes, written, time.monotonic() - started)


def _told(error: Exception) -> tuple[str, str | None]:
    """What kept a source from being read, and what to do."""
    if isinstance(error, OpsError):
        return str(error), error.hint
    if isinstance(error, OSError):
        return str(error), "look at its owner and mode"
    return f"a defect in opsctl: {type(error).__name__}: {error}", "report it, with what the source holds"


def _since(collector: Collector, before: Read | None, now: datetime) -> datetime:
    """The beginning of a day (UTC): where the last reading ended, and what may have come late; never without bound."""
    first = now - timedelta(days=collector.history_days)
    if before is not None and before.read_until is not None:
        first = max(first, min(before.read_until, now) - timedelta(days=collector.revise_days))
    return first.replace(hour=0, minute=0, second=0, microsecond=0)


def _capped(
    collector: Collector, reading: Reading, store: SampleStore, most: int
) -> tuple[tuple[Sample, ...], list[str]]:
    """At most so many series of each metric: first those that are known already, then the largest.

    The rest is added up under the label `(other)`; what was found now and is no sum is left out.
    """
    by_metric: dict[MetricId, list[Sample]] = defaultdict(list)
    for each in reading.samples:
        by_metric[each.series.metric].append(each)
    metrics = {metric.id: metric for metric in collector.metrics}
    kept: list[Sample] = []
    notes: list[str] = []
    for name, samples in by_metric.items():
        weights: dict[SeriesId, float] = defaultdict(float)
        for each in samples:
            weights[each.series] += abs(each.value)
        if len(weights) <= most:
            kept += samples
            continue
        known = store.labels(collector.name, name)
        order = sorted(weights, key=lambda series: (series.labels not in known, -weights[series], series.labels))
        chosen = frozenset(order[: most - 1])
        kept += [each for each in samples if each.series in chosen]
        if metrics[name].form == "sum":
            kept += _rest(metrics[name], [each for each in samples if each.series not in chosen])
        notes.append(f"{len(weights):,} series of {name}, {_fate(metrics[name], most - 1)}")
    return tuple(kept), notes


def _fate(metric: Metric, kept: int) -> str:
    added = f"the others added up as {REST}" if metric.form == "sum" else "the others left out"
    return f"of which {kept:,} are kept and {added}"


def _rest(metric: Metric, samples: Sequence[Sample]) -> list[Sample]:
    sums: dict[tuple[Labels, datetime], float] = defaultdict(float)
    for each in samples:
        # What money is in is never added up over.
        named = tuple((name, value if name in {"currency", "source"} else REST) for name, value in each.series.labels)
        sums[named, each.time] += each.value
    return [Sample(SeriesId(metric.id, named), time, value) for (named, time), value in sums.items()]
