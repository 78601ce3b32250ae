"""Real sources, collected at the times that a test says, and judged by the rules that come with opsctl."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from anomaly_rules.collect import Collected, Limits, collect
from anomaly_rules.collectors import Collector
from anomaly_rules.engine import judge
from anomaly_rules.kinds import Context, build
from anomaly_rules.spec import RuleSpec, shipped
from anomaly_rules.store import SampleStore
from anomaly_rules.stored import StoredSamples
from opsctl.core.progress import Silent
from opsctl.core.rule import Judgement, MetricId, Series, Verdict

NOW = datetime(2026, 5, 20, 10, 40, tzinfo=UTC)
"""A Wednesday."""


@dataclass
class Bench:
    """Sources, and what was measured of them."""

    directory: Path
    collectors: Sequence[Collector]
    samples: StoredSamples = field(init=False)

    def __post_init__(self) -> None:
        self.samples = StoredSamples(SampleStore(self.directory / "samples.sqlite"), self.collectors)

    def collect(self, now: datetime = NOW, *, most: int = 500) -> tuple[Collected, ...]:
        """Read all sources; what cannot be read is in the answer."""
        return collect(self.collectors, self.samples.store, Limits(most, 800), Silent(), now=now)

    def read(self, now: datetime = NOW) -> None:
        """Read all sources, which has to work."""
        for done in self.collect(now):
            assert done.why is None, (done.name, done.why)

    def read_daily(self, days: int, now: datetime = NOW) -> None:
        """Read all sources once a day, up to now."""
        for day in reversed(range(days)):
            self.read(now - timedelta(days=day))

    def series(self, metric: str, at: datetime = NOW, **named: str) -> Series:
        """One series as it is known; empty when there is none."""
        found = self.samples.series(MetricId(metric), since=at - timedelta(days=500), at=at)
        return found.get(tuple(sorted(named.items())), Series((), ()))

    def newest(self, metric: str, at: datetime = NOW, **named: str) -> float:
        """The newest value of a series."""
        return self.series(metric, at, **named).values[-1]

    def verdicts(self, rule: str, at: datetime = NOW, **params: float) -> tuple[Verdict, ...]:
        """What a shipped rule says; `params` replace its own."""
        found = spec(rule)
        changed = found.model_copy(update={"params": {**found.params, **params}})
        built = build(changed, Context(self.samples.metrics()))
        return next(judged.verdicts for judged in judge([built], self.samples, at) if judged.rule == rule)

    def findings(self, rule: str, at: datetime = NOW) -> list[Verdict]:
        """The findings of a shipped rule."""
        return [verdict for verdict in self.verdicts(rule, at) if verdict.judgement is Judgement.FINDING]

    def assert_quiet(self, rule: str, at: datetime = NOW) -> None:
        """The rule has judged something, and found nothing."""
        verdicts = self.verdicts(rule, at)
        assert verdicts
        assert [verdict for verdict in verdicts if verdict.judgement is not Judgement.QUIET] == []

    def assert_fires(self, rule: str, at: datetime = NOW, *, about: str = "", **params: float) -> Verdict:
        """The rule has a finding, about that label if one is given."""
        verdicts = self.verdicts(rule, at, **params)
        found = [each for each in verdicts if each.judgement is Judgement.FINDING and about in str(each.labels)]
        assert found, verdicts
        return found[0]


def spec(rule: str) -> RuleSpec:
    """The shipped rule of that name."""
    return next(each for each in shipped() if each.id == rule)
