"""The life of findings, the engine around rules, and what is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anomaly_rules import run as running
from anomaly_rules.catalogue import Catalogue
from anomaly_rules.engine import complete, judge
from anomaly_rules.findings import Event, history
from anomaly_rules.metric import Metric
from anomaly_rules.samples import Source, SourceStatus
from anomaly_rules.telling import DIGEST, troubles, unchanged
from opsctl.core.errors import SettingsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.rule import Evidence, Judgement, Labels, MetricId, Rule, Series, SeriesId, Severity, Verdict
from tests.support.series import CALLS, SPEND, days, rule

START = datetime(2026, 5, 1, 6, tzinfo=UTC)


@dataclass
class Controlled:
    """Samples whose one value, and whose source, a test sets."""

    metric: Metric
    value: float = 0.0
    source_status: SourceStatus = SourceStatus.OK
    labels: tuple[Labels, ...] = ((),)

    def metrics(self) -> Mapping[MetricId, Metric]:
        return {self.metric.id: self.metric}

    def series(self, metric: MetricId, *, since: datetime, at: datetime) -> Mapping[Labels, Series]:
        time = at.replace(minute=0)
        return {labels: Series((time,), (self.value,)) for labels in self.labels}

    def source(self, metric: MetricId, *, at: datetime) -> Source:
        return Source("crm", self.source_status, "table cards has no column stage", at)


GAUGE = CALLS.model_copy(update={"form": "gauge", "absent": "unknown"})


@dataclass
class Scene:
    """A watch over one value with a limit of 10, and a clock."""

    directory: Path
    severity: Severity = Severity.WARNING
    samples: Controlled = field(default_factory=lambda: Controlled(GAUGE))
    now: datetime = START

    def __post_init__(self) -> None:
        made = rule("threshold", GAUGE, above=10.0)
        made.spec = made.spec.model_copy(update={"severity": self.severity})  # type: ignore[attr-defined]
        self.watch = self.watching((made,))

    def watching(self, rules: tuple[Rule, ...]) -> running.Watch:
        ledger = SqliteLedger(self.directory / "ledger.sqlite")
        return running.Watch("acme", self.samples, Catalogue(rules, {}, ()), ledger, self.directory)

    def run(self, value: float, later: timedelta = timedelta(hours=1)) -> running.Ran:
        self.now += later
        self.samples.value = value
        return running.run(self.watch, self.now)

    def events(self, value: float, later: timedelta = timedelta(hours=1)) -> list[str]:
        return [body.event.value for body in self.run(value, later).events]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_finding_opens_is_repeated_once_a_day_worsens_and_resolves(scene: Scene) -> None:
    assert scene.events(5) == []
    assert scene.events(12) == ["opened"]
    assert scene.events(12) == []
    assert scene.events(12, timedelta(hours=24)) == ["repeated"]
    assert scene.events(30) == ["worsened"]
    assert scene.events(30) == []
    assert scene.events(5) == ["resolved"]
    assert scene.events(5) == []
    (finding,) = running.findings(scene.watch)
    assert not finding.open
    told = [body.event for _, body in history(scene.watch.ledger, "acme", finding.id)]
    assert told == [Event.OPENED, Event.REPEATED, Event.WORSENED, Event.RESOLVED]


def test_what_comes_back_soon_is_the_same_finding_and_later_another(scene: Scene) -> None:
    scene.run(12)
    scene.run(5)
    assert scene.events(12) == ["repeated"]
    scene.run(5)
    assert scene.events(12, days(2)) == ["opened"]
    assert len(running.findings(scene.watch)) == 2


def test_what_could_not_be_judged_does_not_end_a_finding(scene: Scene) -> None:
    scene.run(12)
    scene.samples.source_status = SourceStatus.UNREADABLE
    ran = scene.run(5)
    assert [each.newest.rule for each in ran.open] == ["test-threshold", "sources"]
    assert [answer.rule for answer in ran.unchecked] == ["test-threshold"]
    scene.samples.source_status = SourceStatus.OK
    assert sorted(scene.events(5)) == ["resolved", "resolved"]


def test_an_unreadable_source_is_a_finding_that_names_what_is_missing(scene: Scene) -> None:
    scene.samples.source_status = SourceStatus.UNREADABLE
    ran = scene.run(5)
    (finding,) = ran.open
    assert finding.newest.labels == (("source", "crm"),)
    assert "table cards has no column stage" in finding.newest.sentence
    assert ran.counted == ()
    assert ran.unread


def test_labels_have_lives_of_their_own(scene: Scene) -> None:
    first, second = (("site", "a"),), (("site", "b"),)
    scene.samples.labels = (first, second)
    assert scene.events(12) == ["opened", "opened"]
    scene.samples.labels = (first,)
    ran = scene.run(12)
    assert [(body.event, body.labels) for body in ran.events] == [(Event.RESOLVED, second)]


def test_an_acknowledged_finding_is_told_again_only_when_it_gets_worse(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Severity.CRITICAL)
    ran = scene.run(12)
    told = troubles(ran.open, scene.now)
    assert [trouble.severity for trouble in told] == [Severity.CRITICAL]
    running.acknowledge(scene.watch, ran.open[0], reason="on it", by="ada", at=scene.now)
    ran = scene.run(12)
    assert troubles(ran.open, scene.now) == ()
    assert unchanged(ran.open, scene.now) == {told[0].fingerprint}
    ran = scene.run(40)
    (worse,) = troubles(ran.open, scene.now)
    assert worse.fingerprint != told[0].fingerprint


def test_a_mute_holds_until_its_time_also_when_the_trouble_comes_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Severity.CRITICAL)
    finding = scene.run(12).open[0]
    running.mute(scene.watch, finding, until=scene.now + days(7), reason="load test", by="ada", at=scene.now)
    assert troubles(scene.run(12).open, scene.now) == ()
    scene.run(5)
    back = scene.run(12, days(3))
    assert back.open[0].id != finding.id
    assert back.counted == ()
    assert troubles(back.open, scene.now) == ()
    after = scene.run(12, days(5))
    assert len(after.counted) == len(troubles(after.open, scene.now)) == 1


def test_a_mute_can_be_ended_before_its_time(scene: Scene) -> None:
    finding = scene.run(12).open[0]
    muted = running.mute(scene.watch, finding, until=scene.now + days(7), reason="x", by="ada", at=scene.now)
    assert muted.muted_at(scene.now)
    running.unmute(scene.watch, muted, by="ada", at=scene.now)
    ran = scene.run(12)
    assert len(ran.counted) == 1
    with pytest.raises(SettingsError, match="is not muted"):
        running.unmute(scene.watch, ran.open[0], by="ada", at=scene.now)


def test_all_but_critical_findings_are_one_digest(scene: Scene) -> None:
    scene.samples.labels = tuple((("site", name),) for name in "abc")
    (digest,) = troubles(scene.run(12).open, scene.now)
    assert digest.fingerprint == DIGEST
    assert digest.title.startswith("3 findings: ")
    assert digest.text.count("opsctl anomalies explain") == 3


def test_looking_writes_nothing_and_the_same_time_gives_the_same_answer(scene: Scene) -> None:
    scene.run(12)
    before = len(list(scene.watch.ledger.query()))
    first, second = running.look(scene.watch, scene.now), running.look(scene.watch, scene.now)
    assert first == second
    assert len(list(scene.watch.ledger.query())) == before


def test_a_clock_that_was_set_back_opens_nothing_twice(scene: Scene) -> None:
    scene.run(12)
    assert scene.events(12, -days(2)) == []
    assert scene.events(5) == ["resolved"]
    assert scene.events(12) == ["repeated"]


def test_ids_may_be_shortened_and_unknown_ones_are_refused(scene: Scene) -> None:
    (finding,) = scene.run(12).open
    assert running.find(scene.watch, finding.id[:5]).id == finding.id
    for wrong in ("zzzz", finding.id[:2]):
        with pytest.raises(SettingsError, match="there is no finding"):
            running.find(scene.watch, wrong)


def test_a_mute_in_the_past_and_an_odd_duration_are_refused(scene: Scene) -> None:
    (finding,) = scene.run(12).open
    with pytest.raises(SettingsError, match="is over"):
        running.mute(scene.watch, finding, until=START, reason="x", by="ada", at=scene.now)
    assert running.duration("12h") == timedelta(hours=12)
    for odd in ("7", "d", "-1d", "7 days", "0d"):
        with pytest.raises(SettingsError, match="is no duration"):
            running.duration(odd)


@dataclass(frozen=True)
class Raises:
    """A rule that fails."""

    id: str = "own"
    question: str = "Does it fail?"
    severity: Severity = Severity.INFO
    needs: tuple[MetricId, ...] = (GAUGE.id,)
    min_history_days: int = 0
    reach_days: int = 2

    def evaluate(self, series: Mapping[SeriesId, Series], at: datetime) -> tuple[Verdict, ...]:
        raise ZeroDivisionError("no calls at all")


def test_a_rule_that_fails_silences_no_other_and_says_why(scene: Scene) -> None:
    scene.watch = scene.watching((Raises(), *scene.watch.catalogue.rules))
    ran = scene.run(12)
    assert [finding.newest.rule for finding in ran.open] == ["test-threshold"]
    assert [answer.verdicts[0].sentence for answer in ran.unchecked] == [
        "the rule failed with ZeroDivisionError: no calls at all"
    ]


def test_too_little_history_is_learning_and_not_a_failure(scene: Scene) -> None:
    scene.samples.metric = SPEND.model_copy(update={"id": GAUGE.id})
    made = rule("shift", scene.samples.metric)
    scene.watch = scene.watching((made,))
    ran = scene.run(12)
    assert [answer.rule for answer in ran.learning] == ["test-shift"]
    assert ran.unchecked == ()


def test_a_source_that_was_read_and_has_nothing_is_quiet(scene: Scene) -> None:
    scene.samples.labels = ()
    (answer, _) = judge(scene.watch.catalogue.rules, scene.samples, START)
    assert [verdict.judgement for verdict in answer.verdicts] == [Judgement.QUIET]


def test_periods_that_were_read_and_had_nothing_are_zero() -> None:
    hour = timedelta(hours=1)
    found: dict[Labels, Series] = {
        (("site", "a"),): Series((START, START + 3 * hour), (1.0, 2.0)),
        (("site", "b"),): Series((START + 2 * hour,), (5.0,)),
    }
    whole = complete(found, CALLS, START + 5 * hour)
    assert whole[(("site", "a"),)].values == (1.0, 0.0, 0.0, 2.0, 0.0)
    assert whole[(("site", "b"),)].values == (5.0, 0.0, 0.0)
    assert whole[(("site", "b"),)].times[0] == START + 2 * hour


def test_a_sample_newer_than_what_was_read_is_kept() -> None:
    found: dict[Labels, Series] = {(): Series((START, START + timedelta(hours=4)), (1.0, 2.0))}
    whole = complete(found, CALLS, START + timedelta(hours=2))
    assert whole[()].values == (1.0, 0.0, 2.0)


def test_evidence_of_a_finding_is_what_the_ledger_keeps(scene: Scene) -> None:
    (finding,) = scene.run(12).open
    assert finding.newest.evidence == Evidence(
        value=12.0, expected=10.0, high=10.0, since=scene.now, size=1.2, recent=(12.0,)
    )
