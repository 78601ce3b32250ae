"""Replays a rule over series period by period, by the same engine and the same life of findings as live."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anomaly_rules.backtest.truth import Window
from anomaly_rules.engine import judge
from anomaly_rules.findings import Event, Finding, FindingBody, advance, fold
from anomaly_rules.memory import GivenSamples
from anomaly_rules.metric import Metric
from opsctl.core.rule import Evidence, Labels, Rule, Series

YEAR = timedelta(days=365.25)
_STILL_JUDGED = 6
"""Periods after the last value for which a series is still looked at."""


@dataclass(frozen=True)
class Alarm:
    """A finding that opened. It is about what was from `since` to `at`, the time of the judgement (both UTC)."""

    labels: Labels
    at: datetime
    since: datetime
    sentence: str
    evidence: Evidence


@dataclass(frozen=True)
class Replayed:
    """What a replay found, and for how long (of all series together) it could judge at all."""

    alarms: tuple[Alarm, ...]
    judged: timedelta
    last: tuple[Finding, ...]


@dataclass(frozen=True)
class Score:
    """Alarms against windows. Precision of no alarms and recall of no windows are None; delays are in hours."""

    windows: int
    found: int
    right: int
    wrong: int
    delay_hours: float | None
    false_a_year: float | None

    @property
    def precision(self) -> float | None:
        """The share of alarms that are about a window."""
        alarms = self.right + self.wrong
        return self.right / alarms if alarms else None

    @property
    def recall(self) -> float | None:
        """The share of windows with an alarm."""
        return self.found / self.windows if self.windows else None


def replay(rule: Rule, metric: Metric, found: Mapping[Labels, Series]) -> Replayed:
    """Judge at the end of every period, each series by itself, unless the rule compares them."""
    groups: Iterable[Mapping[Labels, Series]] = [found] if _compares(rule) else [{key: found[key]} for key in found]
    alarms: list[Alarm] = []
    judged = timedelta()
    last: list[Finding] = []
    for group in groups:
        known: dict[str, Finding] = {}
        samples = GivenSamples(metric, group)
        for at in _moments(metric, group.values()):
            answers = judge((rule,), samples, at)[:1]
            judged += metric.cadence.step if answers[0].checked else timedelta()
            events = list(advance(known, answers, {}, at))
            known = fold(((at, body) for body in events), known) if events else known
            alarms += (_alarm(body, at, metric) for body in events if body.event is Event.OPENED)
        last += known.values()
    return Replayed(tuple(sorted(alarms, key=lambda alarm: alarm.at)), judged, tuple(last))


def _compares(rule: Rule) -> bool:
    from anomaly_rules.kinds.labels import NewOrVanished

    return isinstance(rule, NewOrVanished)


def _moments(metric: Metric, group: Iterable[Series]) -> Iterator[datetime]:
    """The ends of all periods that have a value, or had one shortly before."""
    step = metric.cadence.step
    times = sorted({time for series in group for time in series.times})
    for index, time in enumerate(times):
        following = times[index + 1] if index + 1 < len(times) else time + step
        until = following if metric.absent == "zero" else min(following, time + _STILL_JUDGED * step)
        while time < until:
            yield metric.ends(time)
            time += step  # noqa: PLW2901 - the holes after a value belong to it


def _alarm(body: FindingBody, at: datetime, metric: Metric) -> Alarm:
    since = body.evidence.since or at - metric.cadence.step
    return Alarm(body.labels, at, since, body.sentence, body.evidence)


def score(replayed: Replayed, windows: Mapping[Labels, Sequence[Window]]) -> Score:
    """Hold alarms against windows: an alarm is right when what it is about overlaps one.

    The delay of a window is from its start to the judgement of its first alarm.
    """
    right = 0
    first: dict[tuple[Labels, Window], timedelta] = {}
    for alarm in replayed.alarms:
        hit = [
            window for window in windows.get(alarm.labels, ()) if alarm.since <= window.end and window.start < alarm.at
        ]
        right += bool(hit)
        for window in hit:
            first.setdefault((alarm.labels, window), max(alarm.at - window.start, timedelta()))
    wrong = len(replayed.alarms) - right
    delays = [delay.total_seconds() / 3600 for delay in first.values()]
    return Score(
        windows=sum(len(each) for each in windows.values()),
        found=len(first),
        right=right,
        wrong=wrong,
        delay_hours=statistics.median(delays) if delays else None,
        false_a_year=wrong / (replayed.judged / YEAR) if replayed.judged else None,
    )
