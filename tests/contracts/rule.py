"""What every Rule must do. A test module subclasses RuleContract and gives `rule`, `history` and `now` fixtures."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from opsctl.core.rule import Judgement, MetricId, Rule, Series


class RuleContract:
    """Subclass, and provide the fixtures `rule`, `history` (enough of it for a judgement) and `now`."""

    def test_it_asks_a_question_about_metrics(self, rule: Rule) -> None:
        assert rule.id
        assert rule.question.endswith("?")
        assert rule.needs
        assert rule.min_history_days >= 0

    def test_with_enough_history_it_judges(self, rule: Rule, history: Mapping[MetricId, Series], now: datetime) -> None:
        verdict = rule.evaluate(history, now)
        assert verdict.judgement is not Judgement.COULD_NOT_JUDGE
        assert verdict.sentence

    def test_without_data_it_says_so(self, rule: Rule, now: datetime) -> None:
        empty = {metric: Series((), ()) for metric in rule.needs}
        assert rule.evaluate(empty, now).judgement is Judgement.COULD_NOT_JUDGE
        assert rule.evaluate({}, now).judgement is Judgement.COULD_NOT_JUDGE

    def test_the_same_data_gives_the_same_verdict(
        self, rule: Rule, history: Mapping[MetricId, Series], now: datetime
    ) -> None:
        assert rule.evaluate(history, now) == rule.evaluate(history, now)

    def test_what_was_measured_later_changes_nothing(
        self, rule: Rule, history: Mapping[MetricId, Series], now: datetime
    ) -> None:
        later = {
            metric: Series((*series.times, now + timedelta(days=1)), (*series.values, 1e9))
            for metric, series in history.items()
        }
        assert rule.evaluate(later, now) == rule.evaluate(history, now)
