"""Collecting: each source on its own, missed times filled in, never too many labels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from anomaly_rules.collect import Collected, Limits, collect
from anomaly_rules.collectors import Collector, Reading, Span, labels, sample
from anomaly_rules.metric import Cadence, Metric
from anomaly_rules.samples import SourceStatus
from anomaly_rules.store import SampleStore
from anomaly_rules.stored import StoredSamples
from opsctl.core.errors import OpsError
from opsctl.core.progress import Silent
from opsctl.core.rule import MetricId

CALLS = Metric(id=MetricId("ai.calls"), title="calls", cadence=Cadence.HOURLY, absent="zero", labels=("model",))
COST = Metric(
    id=MetricId("cost.daily"), title="cost", cadence=Cadence.DAILY, labels=("currency", "service"), zone="Asia/Kolkata"
)
LOAD = Metric(id=MetricId("host.load"), title="load", cadence=Cadence.HOURLY, form="gauge", labels=("cpu",))
NOW = datetime(2026, 5, 20, 10, 40, tzinfo=UTC)


@dataclass
class Told:
    """A collector that answers as it is told, and remembers what it was asked."""

    answer: Callable[[Span], Reading]
    name: str = "calls"
    metrics: tuple[Metric, ...] = (CALLS,)
    history_days: float = 30
    revise_days: float = 2
    asked: list[Span] = field(default_factory=list)

    def read(self, span: Span) -> Reading:
        self.asked.append(span)
        return self.answer(span)


def every_hour(span: Span) -> Reading:
    hours = int((span.now - span.since).total_seconds() // 3600)
    times = [span.since + timedelta(hours=number) for number in range(hours)]
    return Reading(tuple(sample(CALLS, time, 1) for time in times), span.now)


def refuses(span: Span) -> Reading:
    raise OpsError("database crm has no table tblcalls", hint="correct its name")


def vanished(span: Span) -> Reading:
    raise FileNotFoundError(2, "No such file or directory", "/srv/bills")


def defective(span: Span) -> Reading:
    raise TypeError("'<' not supported between 'str' and 'int'")


@pytest.fixture
def store(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "samples.sqlite")


def run(store: SampleStore, *collectors: Collector, now: datetime = NOW, most: int = 100) -> tuple[Collected, ...]:
    return collect(collectors, store, Limits(most, 800), Silent(), now=now)


def test_the_first_reading_goes_back_as_far_as_the_source_has_history(store: SampleStore) -> None:
    told = Told(every_hour)
    run(store, told)
    assert told.asked[0].since == datetime(2026, 4, 20, tzinfo=UTC)


def test_missed_days_are_filled_in_and_late_ones_read_again(store: SampleStore) -> None:
    told = Told(every_hour)
    run(store, told)
    run(store, told, now=NOW + timedelta(days=5))
    assert told.asked[1].since == datetime(2026, 5, 18, tzinfo=UTC)
    found = StoredSamples(store, [told]).series(CALLS.id, since=NOW - timedelta(days=9), at=NOW + timedelta(days=5))
    times = found[()].times
    assert all(later - earlier == timedelta(hours=1) for earlier, later in pairwise(times))
    assert times[-1] == datetime(2026, 5, 25, 9, tzinfo=UTC)


def test_a_time_missed_for_longer_than_the_history_is_filled_in_as_far_as_that_goes(store: SampleStore) -> None:
    told = Told(every_hour)
    run(store, told)
    run(store, told, now=NOW + timedelta(days=90))
    assert told.asked[1].since == datetime(2026, 7, 19, tzinfo=UTC)


def test_collecting_again_changes_nothing(store: SampleStore) -> None:
    told = Told(every_hour)
    run(store, told)
    (again,) = run(store, told)
    assert (again.written.added, again.written.revised) == (0, 0)


@pytest.mark.parametrize("broken", [refuses, vanished, defective])
def test_a_source_that_cannot_be_read_stops_no_other(store: SampleStore, broken: Callable[[Span], Reading]) -> None:
    bad, good = Told(broken, name="bad", metrics=(COST,)), Told(every_hour)
    done = run(store, bad, good)
    assert done[0].why
    assert done[1].why is None
    samples = StoredSamples(store, [bad, good])
    state = samples.source(COST.id, at=NOW)
    assert state.status is SourceStatus.UNREADABLE
    assert state.why == done[0].why
    assert samples.source(CALLS.id, at=NOW).status is SourceStatus.OK


def test_a_source_that_can_be_read_again_goes_on_where_it_ended(store: SampleStore) -> None:
    told = Told(every_hour)
    run(store, told)
    run(store, Told(refuses), now=NOW + timedelta(days=1))
    back = Told(every_hour)
    run(store, back, now=NOW + timedelta(days=3))
    assert back.asked[0].since == datetime(2026, 5, 18, tzinfo=UTC)


def test_a_source_never_collected_and_one_not_collected_for_a_day_are_stale(store: SampleStore) -> None:
    told = Told(every_hour)
    samples = StoredSamples(store, [told])
    assert samples.source(CALLS.id, at=NOW).status is SourceStatus.STALE
    run(store, told)
    assert samples.source(CALLS.id, at=NOW + timedelta(hours=25)).status is SourceStatus.OK
    late = samples.source(CALLS.id, at=NOW + timedelta(hours=27))
    assert late.status is SourceStatus.STALE
    assert "2026-05-20T10:00:00Z" in (late.why or "")


def test_the_hour_and_the_day_in_which_reading_ended_are_not_read_whole(store: SampleStore) -> None:
    told = Told(every_hour, metrics=(CALLS, COST))
    run(store, told)
    samples = StoredSamples(store, [told])
    assert samples.source(CALLS.id, at=NOW).read_until == datetime(2026, 5, 20, 10, tzinfo=UTC)
    assert samples.source(COST.id, at=NOW).read_until == datetime(2026, 5, 20, tzinfo=UTC)
    evening = datetime(2026, 5, 20, 19, tzinfo=UTC)  # in Kolkata, the next day has begun
    run(store, told, now=evening)
    assert samples.source(COST.id, at=evening).read_until == datetime(2026, 5, 21, tzinfo=UTC)


def many(metric: Metric, count: int) -> Callable[[Span], Reading]:
    def answer(span: Span) -> Reading:
        time = datetime(2026, 5, 19, tzinfo=UTC)
        label = metric.labels[-1]
        named = {"currency": "INR"} if "currency" in metric.labels else {}
        values = tuple(
            sample(metric, time, number + 1, **named, **{label: f"{label} {number}"}) for number in range(count)
        )
        return Reading(values, span.now)

    return answer


def test_ten_thousand_labels_are_added_up_behind_the_largest_and_it_says_so(store: SampleStore) -> None:
    told = Told(many(COST, 10_000), metrics=(COST,))
    (done,) = run(store, told, most=100)
    assert done.notes == ("10,000 series of cost.daily, of which 99 are kept and the others added up as (other)",)
    found = StoredSamples(store, [told]).series(COST.id, since=NOW - timedelta(days=9), at=NOW)
    assert len(found) == 100
    assert labels(currency="INR", service="service 9999") in found
    rest = found[labels(currency="INR", service="(other)")].values[0]
    assert rest == sum(range(1, 10_000 - 98))


def test_labels_that_are_known_stay_when_larger_ones_come(store: SampleStore) -> None:
    run(store, Told(many(COST, 3), metrics=(COST,)), most=3)
    run(store, Told(many(COST, 10), metrics=(COST,)), most=5)
    told = Told(many(COST, 10), metrics=(COST,))
    found = StoredSamples(store, [told]).series(COST.id, since=NOW - timedelta(days=9), at=NOW)
    assert {f"service {number}" for number in (0, 1, 2, 9)} <= {dict(each)["service"] for each in found}


def test_too_many_gauges_are_left_out_and_never_added_up(store: SampleStore) -> None:
    told = Told(many(LOAD, 10), metrics=(LOAD,))
    (done,) = run(store, told, most=5)
    assert "the others left out" in done.notes[0]
    assert len(StoredSamples(store, [told]).series(LOAD.id, since=NOW - timedelta(days=9), at=NOW)) == 4


def test_a_clock_that_was_set_back_is_noted_and_hides_nothing(store: SampleStore) -> None:
    told = Told(every_hour)
    run(store, told, now=NOW + timedelta(days=400))
    (done,) = run(store, told)
    assert "the clock was set back" in done.notes[0]
    found = StoredSamples(store, [told]).series(CALLS.id, since=NOW - timedelta(days=60), at=NOW)
    assert found[()].times[-1] == datetime(2026, 5, 20, 9, tzinfo=UTC)
    assert len(found[()].times) == 30 * 24 + 10


def test_what_a_source_that_is_not_in_the_settings_any_more_measured_is_not_looked_at(store: SampleStore) -> None:
    run(store, Told(every_hour, name="old"))
    told = Told(every_hour, name="new")
    assert StoredSamples(store, [told]).series(CALLS.id, since=NOW - timedelta(days=3), at=NOW) == {}
