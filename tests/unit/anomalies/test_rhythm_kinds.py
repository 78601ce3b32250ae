"""Kinds outlier, shift, flatline, gap and labels."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from anomaly_rules.metric import Cadence, Metric
from opsctl.core.errors import SettingsError
from opsctl.core.rule import Judgement, MetricId, Rule, Series, SeriesId
from tests.contracts.rule import RuleContract
from tests.support.series import CALLS, NOW, SPEND, by_label, fires, judged, rule, series

LATE = SPEND.model_copy(update={"settle_days": 1.0})
BILL = SPEND.model_copy(update={"id": MetricId("bill"), "labels": ("service",), "absent": "zero"})
GAUGE = Metric(id=MetricId("latency"), title="latency", cadence=Cadence.HOURLY, unit="ms", form="gauge")


def spend(days: int = 120, *, noise: float = 0.05, growth: float = 0.001, seed: int = 1) -> list[float]:
    """Daily values with quiet weekends, growth and noise; the last is the Sunday before NOW."""
    rng = np.random.default_rng(seed)
    back = np.arange(days - 1, -1, -1)
    weekday = (6 - back) % 7
    values = 100 * (1 - growth * back) * np.where(weekday >= 5, 0.5, 1.0) * (1 + rng.normal(0, noise, days))
    return [float(value) for value in values]


def calls(days: int = 40, *, peak: float = 20.0, seed: int = 1) -> list[float]:
    """Hourly counts, busy from 8 to 18 o'clock, next to none at night; the last hour ends at NOW."""
    rng = np.random.default_rng(seed)
    hours = (np.arange(days * 24) + NOW.hour) % 24
    return [float(value) for value in rng.poisson(np.where((hours >= 8) & (hours < 18), peak, 0.05))]


class TestOutlier(RuleContract):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("outlier", SPEND)

    @pytest.fixture(params=[1.0, 3.0])
    def history(self, request: pytest.FixtureRequest) -> Mapping[SeriesId, Series]:
        values = spend()
        return by_label(SPEND, {"a": [*values[:-1], values[-1] * request.param], "b": spend(seed=2)})

    @pytest.fixture
    def now(self) -> datetime:
        return NOW


class TestShift(TestOutlier):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("shift", SPEND)


class TestFlatline(TestOutlier):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("flatline", SPEND)


class TestLabels(TestOutlier):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("labels", SPEND)


class TestHourlyOutlier(TestOutlier):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("outlier", CALLS)

    @pytest.fixture(params=[0, 500])
    def history(self, request: pytest.FixtureRequest) -> Mapping[SeriesId, Series]:
        return {SeriesId(CALLS.id): series(CALLS, [*calls(), request.param])}


class TestGap(TestHourlyOutlier):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("gap", CALLS)


def test_a_day_twice_its_usual_is_found_and_explained() -> None:
    values = spend()
    verdict = judged(rule("outlier", SPEND), SPEND, [*values[:-1], values[-1] * 2])
    assert verdict.judgement is Judgement.FINDING
    assert verdict.sentence.startswith("spend on Sunday 2026-05-03 was ")
    assert verdict.evidence.expected == pytest.approx(50, rel=0.1)
    assert verdict.evidence.since == datetime(2026, 5, 3, tzinfo=UTC)
    assert verdict.evidence.recent[-1] == verdict.evidence.value


def test_a_weekend_is_no_drop_and_a_weekday_on_its_level_is_one() -> None:
    values = spend()
    assert not fires(rule("outlier", SPEND), SPEND, values)
    monday = [*values[1:], values[0] * 0.4]
    assert fires(rule("outlier", SPEND), SPEND, monday, NOW + timedelta(days=1))


def test_one_middling_day_is_let_pass_and_two_of_three_are_not() -> None:
    values = spend(noise=0.04)
    once = [*values[:-1], values[-1] * 1.3]
    twice = [*values[:-3], values[-3] * 1.3, values[-2], values[-1] * 1.3]
    assert not fires(rule("outlier", SPEND), SPEND, once)
    assert fires(rule("outlier", SPEND), SPEND, twice)


def test_a_value_that_may_still_grow_is_no_drop_but_can_be_a_spike() -> None:
    values = spend()
    partial, double = [*values[:-1], values[-1] * 0.4], [*values[:-1], values[-1] * 2]
    assert fires(rule("outlier", SPEND), SPEND, partial)
    assert not fires(rule("outlier", LATE), LATE, partial)
    assert fires(rule("outlier", LATE), LATE, double)
    assert fires(rule("outlier", LATE), LATE, [*values[:-2], values[-2] * 0.4, values[-1]])


def test_a_day_off_may_be_low() -> None:
    values = spend()
    friday = [*values[:-3], values[-3] * 0.3]
    now = NOW - timedelta(days=2)
    assert fires(rule("outlier", SPEND), SPEND, friday, now)
    off = frozenset({date(2026, 5, 1)})
    assert not fires(rule("outlier", SPEND, holidays=off), SPEND, friday, now)


def test_the_edge_of_a_month_is_judged_by_earlier_ones() -> None:
    values = np.array(spend())
    last = NOW.date() - timedelta(days=1)
    for back in range(120):
        day = last - timedelta(days=back)
        if (day + timedelta(days=2)).day <= 2:
            values[-1 - back] *= 1.5
    cut = [float(value) for value in values[:-3]]  # ends on 30 April
    assert not fires(rule("outlier", SPEND), SPEND, cut, NOW - timedelta(days=3))


def test_small_differences_are_never_findings() -> None:
    values = spend()
    double = [*values[:-1], values[-1] * 2]
    assert not fires(rule("outlier", SPEND, min_amount=80.0), SPEND, double)
    assert fires(rule("outlier", SPEND, min_amount=10.0), SPEND, double)


def test_a_direction_can_be_chosen() -> None:
    values = spend()
    double, half = [*values[:-1], values[-1] * 2], [*values[:-1], values[-1] * 0.2]
    assert [fires(rule("outlier", SPEND, direction="up"), SPEND, each) for each in (double, half)] == [True, False]
    assert [fires(rule("outlier", SPEND, direction="down"), SPEND, each) for each in (double, half)] == [False, True]


def test_a_step_and_a_drift_add_up() -> None:
    values = spend()
    step = [*values[:-3], *(value * 1.3 for value in values[-3:])]
    drift = [*values[:-10], *(value * 1.02 ** (day + 1) for day, value in enumerate(values[-10:]))]
    assert not fires(rule("shift", SPEND), SPEND, values)
    verdict = judged(rule("shift", SPEND), SPEND, step, NOW + timedelta(days=14))
    assert verdict.judgement is Judgement.FINDING
    assert verdict.evidence.since == datetime(2026, 5, 15, tzinfo=UTC)
    assert "USD on average since 2026-05-15, " in verdict.sentence
    assert "% above the " in verdict.sentence
    assert fires(rule("shift", SPEND), SPEND, drift, NOW + timedelta(days=14))


def test_an_hourly_series_shifts_by_its_days() -> None:
    values = calls(80)
    assert not fires(rule("shift", CALLS), CALLS, values)
    assert fires(rule("shift", CALLS), CALLS, [*values[: -24 * 4], *(value * 1.5 for value in values[-24 * 4 :])])


def test_a_day_at_nothing_is_found_at_once_though_it_may_still_grow() -> None:
    values = spend()
    assert fires(rule("flatline", LATE), LATE, [*values[:-1], 0.0])
    assert not fires(rule("flatline", LATE), LATE, [*values[:-1], values[-1] * 0.3])


def test_days_at_nothing_stay_a_finding_while_they_last() -> None:
    values = spend(200)
    for length in (1, 7, 20, 40):
        verdict = judged(rule("flatline", SPEND), SPEND, [*values[:-length], *([0.0] * length)])
        assert verdict.judgement is Judgement.FINDING
        assert verdict.evidence.since == datetime(2026, 5, 4, tzinfo=UTC) - timedelta(days=length)


def test_where_nothing_is_usual_nothing_is_missed() -> None:
    seldom = [0.0 if day % 7 in {1, 4, 6} else 50.0 for day in range(120)]
    assert not fires(rule("flatline", SPEND), SPEND, [*seldom, 0.0])
    assert fires(rule("flatline", SPEND), SPEND, [*seldom, 0.0, 0.0, 0.0, 0.0])


def test_a_silent_night_is_no_gap_and_a_silent_day_is() -> None:
    silent = rule("gap", CALLS)
    values = calls()
    morning, noon = NOW.replace(hour=7), NOW.replace(hour=11)
    assert not fires(silent, CALLS, [*values, *([0.0] * 6)], morning)
    verdict = judged(silent, CALLS, [*values, *([0.0] * 10)], noon)
    assert verdict.judgement is Judgement.FINDING
    assert "next to nothing since" in verdict.sentence


def test_a_flatline_of_an_hourly_metric_is_judged_by_its_silence() -> None:
    values = calls()
    assert fires(rule("flatline", CALLS), CALLS, [*values, *([0.0] * 10)], NOW.replace(hour=11))
    assert not fires(rule("flatline", CALLS), CALLS, values)


def test_hours_that_were_not_measured_are_no_silence() -> None:
    values = calls()
    silent, unknown = [*values[:-20], *([0.0] * 20)], [*values[:-20], *([math.nan] * 19), 0.0]
    assert fires(rule("gap", CALLS), CALLS, silent)
    assert not fires(rule("gap", CALLS), CALLS, unknown)


def test_an_earlier_outage_does_not_excuse_the_next_but_a_habit_does() -> None:
    values = calls()
    for outages, expected in (((20,), True), ((20, 25, 31), False)):
        found = list(values)
        for day in outages:
            found[24 * day : 24 * day + 24] = [0.0] * 24
        assert fires(rule("gap", CALLS), CALLS, [*found[:-20], *([0.0] * 20)]) is expected


def test_gaps_of_a_daily_metric_are_refused() -> None:
    with pytest.raises(SettingsError, match="one value a day"):
        rule("gap", SPEND)


def test_votes_find_a_spike_in_minutes_of_history_and_let_noise_pass() -> None:
    rng = np.random.default_rng(3)
    values = [
        float(value) for value in 50 + 10 * np.sin(np.arange(24 * 14) / 24 * 2 * np.pi) + rng.normal(0, 1, 24 * 14)
    ]
    votes = rule("outlier", GAUGE)
    assert fires(votes, GAUGE, [*values, 90.0])
    assert fires(votes, GAUGE, [*values, 10.0])
    alarms = sum(fires(votes, GAUGE, values[:end]) for end in range(24 * 7, 24 * 14))
    assert alarms <= 1


def test_a_weekly_job_is_odd_only_the_first_time() -> None:
    rng = np.random.default_rng(6)
    values = [float(value) for value in 5 + rng.normal(0, 0.5, 24 * 30)]
    for hour in range(24 * 10, 24 * 30, 168):
        values[hour] = 500.0
    votes = rule("outlier", GAUGE)
    jobs = range(24 * 10, 24 * 30, 168)
    assert [fires(votes, GAUGE, values[: hour + 1]) for hour in jobs] == [True, False, False]
    assert fires(votes, GAUGE, [*values[: 24 * 28], 500.0])


def test_an_incident_is_not_excused_by_a_larger_one_before_it() -> None:
    rng = np.random.default_rng(7)
    values = [float(value) for value in 50 + rng.normal(0, 2, 24 * 20)]
    values[24 * 12 + 5] = 500.0
    assert fires(rule("outlier", GAUGE), GAUGE, [*values, 90.0])


def test_a_constant_series_that_moves_is_odd_and_one_that_does_not_is_not() -> None:
    votes = rule("outlier", GAUGE)
    assert not fires(votes, GAUGE, [5.0] * 24 * 10)
    assert fires(votes, GAUGE, [*([5.0] * 24 * 10), 6.0])
    daily = rule("outlier", SPEND)
    assert not fires(daily, SPEND, [0.0] * 60)
    assert fires(daily, SPEND, [*([0.0] * 60), 5.0])


def test_a_new_service_is_found_by_its_label_on_its_first_day() -> None:
    new = rule("labels", BILL, floor=1.0)
    own = {"compute": spend(), "storage": spend(seed=2)}
    assert [verdict.judgement for verdict in new.evaluate(by_label(BILL, own), NOW)] == [Judgement.QUIET]
    (verdict,) = new.evaluate(by_label(BILL, {**own, "gpu": [12.0], "dust": [0.1]}), NOW)
    assert verdict.judgement is Judgement.FINDING
    assert verdict.labels == (("service", "gpu"),)
    assert verdict.sentence.startswith("gpu: new in spend since Sunday 2026-05-03: 12.00 USD a day")


def test_a_service_that_was_seen_before_is_not_new() -> None:
    seen = [*([0.0] * 60), 9.0, *([0.0] * 40), 12.0]
    own = {"compute": spend(), "gpu": seen}
    assert [each.judgement for each in rule("labels", BILL).evaluate(by_label(BILL, own), NOW)] == [Judgement.QUIET]


def test_a_service_that_vanished_is_found_after_two_days() -> None:
    own = {"compute": spend(), "storage": [*spend(seed=2)[:-2], 0.0, 0.0]}
    (verdict,) = rule("labels", BILL).evaluate(by_label(BILL, own), NOW)
    assert verdict.labels == (("service", "storage"),)
    assert verdict.sentence.startswith("storage: gone from spend since Saturday 2026-05-02")


def test_ten_thousand_labels_at_once_are_one_finding() -> None:
    own = {"compute": spend(30)} | {f"label-{number}": [5.0] for number in range(10_000)}
    verdicts = rule("labels", BILL, share=1e-6).evaluate(by_label(BILL, own), NOW)
    assert len(verdicts) == 1
    assert "10,000 labels" in verdicts[0].sentence


@pytest.mark.parametrize("kind", ["outlier", "shift", "flatline", "labels"])
def test_credits_and_holes_and_infinities_are_survived(kind: str) -> None:
    values = spend()
    for odd in (math.nan, math.inf, -math.inf, -500.0, 0.0, 1e300):
        for day in (-40, -20, -5, -2):
            values[day] = odd
        judged(rule(kind, SPEND), SPEND, values)
    assert judged(rule(kind, SPEND), SPEND, [-value for value in spend()]).sentence


def test_hours_follow_the_clock_of_their_zone() -> None:
    """Where clocks were put forward, the busy hours moved in UTC and not in the zone."""
    zone = CALLS.model_copy(update={"zone": "Europe/Berlin"})
    rng = np.random.default_rng(5)
    first = datetime(2026, 2, 16, tzinfo=UTC)
    changed = datetime(2026, 3, 29, 1, tzinfo=UTC)
    times = [first + timedelta(hours=hour) for hour in range(24 * 44)]
    local = [(time.hour + (2 if time >= changed else 1)) % 24 for time in times]
    values = rng.poisson([20 if 8 <= hour < 18 else 0 for hour in local]).astype(float)
    at = datetime(2026, 3, 29, 17, 5, tzinfo=UTC)  # 19:05 in Berlin, where nobody called since 18:00
    known = [(time, float(value)) for time, value in zip(times, values, strict=True) if time < at]
    found = Series(tuple(time for time, _ in known), tuple(value for _, value in known))
    (verdict,) = rule("gap", zone, chance=0.01).evaluate({SeriesId(CALLS.id): found}, at)
    assert verdict.judgement is Judgement.QUIET
    (verdict,) = rule("gap", CALLS, chance=0.01).evaluate({SeriesId(CALLS.id): found}, at)
    assert verdict.judgement is Judgement.FINDING
