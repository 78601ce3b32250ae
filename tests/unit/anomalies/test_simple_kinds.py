"""Kinds threshold, state, staleness and forecast."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anomaly_rules.metric import Cadence, Metric
from opsctl.core.errors import SettingsError
from opsctl.core.rule import Judgement, MetricId, Rule, Series, SeriesId
from tests.contracts.rule import RuleContract
from tests.support.series import CALLS, NOW, SPEND, USED, by_label, fires, judged, rule, series

ERRORS = CALLS.model_copy(update={"id": MetricId("errors"), "title": "errors"})
BUDGET = Metric(id=MetricId("budget"), title="budget", cadence=Cadence.DAILY, unit="USD", form="gauge")


class TestThreshold(RuleContract):
    @pytest.fixture
    def rule(self) -> Rule:
        return rule("threshold", USED, above=0.9)

    @pytest.fixture(params=[0.5, 0.95])
    def history(self, request: pytest.FixtureRequest) -> Mapping[SeriesId, Series]:
        return by_label(USED, {"/": [0.5, request.param], "/data": [0.2, 0.3]}, "mount")

    @pytest.fixture
    def now(self) -> datetime:
        return NOW


class TestState(TestThreshold):
    @pytest.fixture(params=[{"healthy": [0.5]}, {"unchanged_days": 2}])
    def rule(self, request: pytest.FixtureRequest) -> Rule:
        return rule("state", USED, **request.param)


class TestStaleness(TestThreshold):
    @pytest.fixture(params=[1, 100])
    def rule(self, request: pytest.FixtureRequest) -> Rule:
        return rule("staleness", USED, hours=request.param)


class TestForecast(TestThreshold):
    @pytest.fixture(params=[1.0, 2.0])
    def rule(self, request: pytest.FixtureRequest) -> Rule:
        return rule("forecast", USED, limit=request.param)

    @pytest.fixture
    def history(self) -> Mapping[SeriesId, Series]:
        return by_label(USED, {"/": [0.5 + 0.0005 * hour for hour in range(24 * 30)]}, "mount")


class TestMonth(RuleContract):
    @pytest.fixture(params=[100.0, 10000.0])
    def rule(self, request: pytest.FixtureRequest) -> Rule:
        return rule("forecast", SPEND, limit=request.param, month=True)

    @pytest.fixture
    def history(self) -> Mapping[SeriesId, Series]:
        return {SeriesId(SPEND.id): series(SPEND, [10.0] * 40)}

    @pytest.fixture
    def now(self) -> datetime:
        return NOW


def test_a_threshold_holds_above_and_below() -> None:
    above, below = rule("threshold", USED, above=0.9), rule("threshold", USED, below=0.1)
    assert [fires(above, USED, [value]) for value in (0.89, 0.9, 0.91)] == [False, False, True]
    assert [fires(below, USED, [value]) for value in (0.11, 0.1, 0.09)] == [False, False, True]


def test_a_threshold_waits_for_as_many_periods_as_it_is_told() -> None:
    thrice = rule("threshold", USED, above=0.9, times=3)
    assert not fires(thrice, USED, [0.95, 0.5, 0.95, 0.95])
    verdict = judged(thrice, USED, [0.5, 0.95, math.nan, 0.95, 0.95])
    assert verdict.judgement is Judgement.FINDING
    assert verdict.evidence.since == NOW - timedelta(hours=3)


def test_a_ratio_is_not_judged_on_too_little() -> None:
    rate = rule("threshold", ERRORS, CALLS, divide_by="calls", above=0.05, at_least=20, window=3, unit="share")

    def found(errors: list[float], calls: list[float]) -> Judgement:
        both = {SeriesId(ERRORS.id): series(ERRORS, errors), SeriesId(CALLS.id): series(CALLS, calls)}
        return rate.evaluate(both, NOW)[0].judgement

    assert found([1, 1, 1], [2, 2, 2]) is Judgement.QUIET
    assert found([1, 1, 1], [10, 10, 10]) is Judgement.FINDING
    assert found([1, 0, 0], [10, 10, 10]) is Judgement.QUIET
    assert rate.evaluate({SeriesId(ERRORS.id): series(ERRORS, [1])}, NOW)[0].judgement is Judgement.COULD_NOT_JUDGE


def test_a_limit_can_be_a_metric() -> None:
    over = rule("threshold", SPEND, BUDGET, limit_metric="budget", above=1.0)
    for budget, expected in ((50.0, Judgement.FINDING), (500.0, Judgement.QUIET)):
        both = {SeriesId(SPEND.id): series(SPEND, [100.0]), SeriesId(BUDGET.id): series(BUDGET, [budget])}
        assert over.evaluate(both, NOW)[0].judgement is expected


def test_a_change_is_a_finding_for_some_days_and_says_when() -> None:
    changed = rule("state", USED, unchanged_days=2)
    verdict = judged(changed, USED, [7.0] * 10 + [8.0] * 24)
    assert verdict.judgement is Judgement.FINDING
    assert verdict.evidence.since == NOW - timedelta(hours=23)
    assert "changed at 2026-05-03 02:00 UTC" in verdict.sentence
    assert not fires(changed, USED, [7.0] * 10 + [8.0] * 60)


def test_a_state_names_what_it_has_to_be() -> None:
    verdict = judged(rule("state", USED.model_copy(update={"unit": ""}), healthy=[1]), USED, [1, 1, 0])
    assert verdict.sentence == "disk used is 0 and has to be 1"


def test_staleness_counts_from_the_last_event() -> None:
    stale = rule("staleness", CALLS, hours=3, events=True)
    assert not fires(stale, CALLS, [1, 0, 0, 0])
    assert fires(stale, CALLS, [1, 0, 0, 0, 0])
    assert fires(stale, CALLS, [0, 0, 0, 0, 0])
    verdict = judged(stale, CALLS, [1] + [0] * 9)
    assert verdict.evidence.size == pytest.approx(3.0)


def test_a_forecast_is_not_bent_by_copies_and_clean_ups() -> None:
    used = USED.model_copy(update={"cadence": Cadence.DAILY})
    full = rule("forecast", used, limit=1.0, within_days=30)
    slow = [0.5 + 0.002 * day for day in range(45)]
    fast = [0.5 + 0.008 * day for day in range(45)]
    for values in (slow, fast):
        for day in (5, 6, 7, 30, 42, 43):
            values[day] += 0.1
    assert not fires(full, used, slow)
    verdict = judged(full, used, fast)
    assert verdict.judgement is Judgement.FINDING
    assert "in 18 days, on 2026-05-22" in verdict.sentence


def test_growth_that_began_days_ago_is_followed_and_a_copy_is_not() -> None:
    used = USED.model_copy(update={"cadence": Cadence.DAILY})
    full = rule("forecast", used, limit=1.0, within_days=30)
    grows = [0.1] * 40 + [0.1 + 0.12 * day for day in range(1, 6)]
    copied = [0.85] * 42 + [0.93, 0.93, 0.93]
    verdict = judged(full, used, grows)
    assert verdict.judgement is Judgement.FINDING
    assert "(by the last 7 days)" in verdict.sentence
    assert not fires(full, used, copied)


def test_a_day_ends_where_its_zone_says() -> None:
    there = SPEND.model_copy(update={"zone": "America/New_York"})
    above = rule("threshold", there, above=50.0)
    day = datetime(2026, 5, 3, tzinfo=UTC)
    found = {SeriesId(there.id): Series((day - timedelta(days=1), day), (1.0, 100.0))}
    (before,) = above.evaluate(found, datetime(2026, 5, 4, 3, 59, tzinfo=UTC))
    (after,) = above.evaluate(found, datetime(2026, 5, 4, 4, 0, tzinfo=UTC))
    assert (before.judgement, after.judgement) == (Judgement.QUIET, Judgement.FINDING)


def test_a_falling_series_reaches_no_limit_above_it() -> None:
    used = USED.model_copy(update={"cadence": Cadence.DAILY})
    assert not fires(rule("forecast", used, limit=1.0), used, [0.9 - 0.01 * day for day in range(45)])
    assert fires(rule("forecast", used, limit=0.1), used, [0.9 - 0.015 * day for day in range(45)])


def test_a_month_over_budget_is_known_before_it_ends() -> None:
    over = rule("forecast", SPEND, BUDGET, limit=1.0, limit_metric="budget", month=True)
    now = datetime(2026, 5, 11, 1, tzinfo=UTC)
    for budget, expected in ((250.0, Judgement.FINDING), (350.0, Judgement.QUIET)):
        both = {SeriesId(SPEND.id): series(SPEND, [10.0] * 60, now), SeriesId(BUDGET.id): series(BUDGET, [budget], now)}
        (verdict,) = over.evaluate(both, now)
        assert verdict.judgement is expected
        assert verdict.evidence.value == pytest.approx(310.0)


def test_days_whose_bill_is_not_complete_count_as_usual_days_in_the_month() -> None:
    late = SPEND.model_copy(update={"settle_days": 2})
    over = rule("forecast", late, limit=305.0, month=True)
    values = [10.0] * 58 + [1.0, 0.5]
    now = datetime(2026, 5, 11, 1, tzinfo=UTC)
    assert judged(over, late, values, now).evidence.value == pytest.approx(310.0)


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("threshold", {}, "needs either `above` or `below`"),
        ("threshold", {"abvoe": 3}, "abvoe"),
        ("staleness", {"hours": -1}, "hours"),
        ("state", {"healthy": []}, "needs either"),
        ("sorcery", {}, "is of no known kind"),
    ],
)
def test_wrong_parameters_are_named(kind: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        rule(kind, SPEND, **params)
    assert said in str(error.value)
    assert error.value.hint
