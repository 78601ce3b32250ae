"""Runs rules over samples: the one way in which anything is judged, live, in a test or in a backtest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.samples import Samples, Source, SourceStatus
from opsctl.core.rule import Evidence, Judgement, Labels, MetricId, Rule, Series, SeriesId, Severity, Verdict

SOURCES = "sources"
"""The id of the rule that every source is read; its label says which one."""


@dataclass(frozen=True)
class Judged:
    """What one rule said at one time, about each label set."""

    rule: str
    question: str
    severity: Severity
    metric: MetricId
    calm: timedelta
    """What comes back within this time of its end is the same finding."""
    verdicts: tuple[Verdict, ...]

    @property
    def findings(self) -> tuple[Verdict, ...]:
        """The verdicts that are findings."""
        return tuple(verdict for verdict in self.verdicts if verdict.judgement is Judgement.FINDING)

    @property
    def learning(self) -> bool:
        """Whether it could not judge anything, and only for want of history."""
        return not self.checked and all(verdict.learning for verdict in self.verdicts)

    @property
    def checked(self) -> bool:
        """Whether it could judge anything."""
        return any(verdict.judgement is not Judgement.COULD_NOT_JUDGE for verdict in self.verdicts)


def judge(rules: Sequence[Rule], samples: Samples, at: datetime) -> tuple[Judged, ...]:
    """Judge what was known at a time (UTC). The last answer is about the sources themselves, when a rule needs any."""
    reader = _Reader(samples, rules, at)
    judged = [_judge(rule, reader, at) for rule in rules]
    return (*judged, *_sources(reader))


class _Reader:
    """Reads each metric once, as far back as any rule looks."""

    def __init__(self, samples: Samples, rules: Iterable[Rule], at: datetime) -> None:
        self.samples = samples
        self.at = at
        self.metrics = samples.metrics()
        self.reach: dict[MetricId, int] = {}
        for rule in rules:
            for metric in rule.needs:
                self.reach[metric] = max(self.reach.get(metric, 0), rule.reach_days)
        self.read: dict[MetricId, dict[SeriesId, Series]] = {}
        self.sources: dict[MetricId, Source] = {}

    def series(self, metric: MetricId) -> Mapping[SeriesId, Series]:
        """All series of a metric; where nothing means zero, with the zeros."""
        if metric not in self.read:
            since = self.at - timedelta(days=self.reach[metric] + 1)
            found = self.samples.series(metric, since=since, at=self.at)
            until = self.source(metric).read_until
            if self.metrics[metric].absent == "zero" and until is not None:
                found = complete(found, self.metrics[metric], min(until, self.at))
            self.read[metric] = {SeriesId(metric, labels): series for labels, series in found.items()}
        return self.read[metric]

    def source(self, metric: MetricId) -> Source:
        """How the source of a metric is."""
        if metric not in self.sources:
            self.sources[metric] = self.samples.source(metric, at=self.at)
        return self.sources[metric]


def complete(found: Mapping[Labels, Series], metric: Metric, until: datetime) -> dict[Labels, Series]:
    """Write zeros where the source was read (everything that began before `until`) and had nothing.

    Each series begins with its first sample: before that nobody knows that it existed.
    """
    step = metric.cadence.step
    times: list[datetime] = []
    earliest = min((series.times[0] for series in found.values() if series.times), default=until)
    while earliest + len(times) * step < until:
        times.append(earliest + len(times) * step)
    every = tuple(times)
    return {key: _filled(series, every, step, earliest) for key, series in found.items()}


def _filled(series: Series, every: tuple[datetime, ...], step: timedelta, earliest: datetime) -> Series:
    if not series.times:
        return series
    wanted = every[(series.times[0] - earliest) // step :]
    if series.times[: len(wanted)] == wanted:
        return series
    known = dict.fromkeys(wanted, 0.0) | dict(zip(series.times, series.values, strict=True))
    times = tuple(sorted(known)) if len(known) != len(wanted) else tuple(known)
    return Series(times, tuple(known[time] for time in times))


def _judge(rule: Rule, reader: _Reader, at: datetime) -> Judged:
    unknown = [metric for metric in rule.needs if metric not in reader.metrics]
    if unknown:
        verdicts: tuple[Verdict, ...] = (_could_not(f"nothing measures {', '.join(unknown)}"),)
    else:
        verdicts = _nothing_there(rule, reader) or _evaluate(rule, reader, at)
        verdicts = tuple(_doubted(verdict, reader.source(rule.needs[0])) for verdict in verdicts)
    return Judged(rule.id, rule.question, rule.severity, rule.needs[0], _calm(reader, rule.needs[0]), verdicts)


def _nothing_there(rule: Rule, reader: _Reader) -> tuple[Verdict, ...]:
    """The verdict where the source was read and has none of it: without certificates none can end."""
    source = reader.source(rule.needs[0])
    if source.status is not SourceStatus.OK or source.read_until is None or reader.series(rule.needs[0]):
        return ()
    return (Verdict(judgement=Judgement.QUIET, sentence=f"{source.name} was read and has nothing to judge"),)


def _evaluate(rule: Rule, reader: _Reader, at: datetime) -> tuple[Verdict, ...]:
    series: dict[SeriesId, Series] = {}
    for metric in rule.needs:
        series |= reader.series(metric)
    try:
        verdicts = rule.evaluate(series, at)
    except Exception as error:  # noqa: BLE001 - a customer's rule may raise anything, and must not silence the others
        return (_could_not(f"the rule failed with {type(error).__name__}: {error}"),)
    return verdicts or (_could_not("the rule said nothing"),)


def _doubted(verdict: Verdict, source: Source) -> Verdict:
    """What was quiet when its source could last be read is not known to be quiet now."""
    if source.status is not SourceStatus.UNREADABLE or verdict.judgement is not Judgement.QUIET:
        return verdict
    return verdict.model_copy(
        update={
            "judgement": Judgement.COULD_NOT_JUDGE,
            "sentence": f"{source.name} could not be read: {source.why}",
        }
    )


def _calm(reader: _Reader, metric: MetricId) -> timedelta:
    hourly = metric in reader.metrics and reader.metrics[metric].cadence is Cadence.HOURLY
    return timedelta(hours=12) if hourly else timedelta(days=3)


def _could_not(why: str) -> Verdict:
    return Verdict(judgement=Judgement.COULD_NOT_JUDGE, sentence=why)


def _sources(reader: _Reader) -> tuple[Judged, ...]:
    """One finding for each source that cannot be read or that is not read any more."""
    by_name: dict[str, Source] = {}
    for metric in reader.reach:
        if metric in reader.metrics:
            source = reader.source(metric)
            by_name[source.name] = source
    if not by_name:
        return ()
    first = next(metric for metric in reader.reach if metric in reader.metrics)
    verdicts = tuple(_of_source(source) for _, source in sorted(by_name.items()))
    question = "Can everything be read that is watched?"
    return (Judged(SOURCES, question, Severity.WARNING, first, _calm(reader, first), verdicts),)


def _of_source(source: Source) -> Verdict:
    labels = (("source", source.name),)
    if source.status is SourceStatus.OK:
        return Verdict(judgement=Judgement.QUIET, sentence=f"{source.name} is read", labels=labels)
    how = "cannot be read" if source.status is SourceStatus.UNREADABLE else "is not up to date"
    evidence = Evidence(since=source.read_until)
    sentence = f"{source.name} {how}: {source.why or 'nobody knows why'}"
    return Verdict(judgement=Judgement.FINDING, sentence=sentence, labels=labels, evidence=evidence)
