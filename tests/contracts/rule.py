"""What every Rule must do. A test module subclasses RuleContract and gives `rule`, `history` and `now` fixtures."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from opsctl.core.rule import Judgement, Rule, Series, SeriesId


class RuleContract:
    """Subclass, and provide the fixtures `rule`, `history` (enough of it for a judgement) and `now`."""

    def test_it_asks_a_question_about_metrics(self, rule: Rule) -> None:
        assert rule.id
        assert rule.question.endswith("?")
        assert rule.needs
        assert 0 <= rule.min_history_days <= rule.reach_days

    def test_with_enough_history_it_judges(self, rule: Rule, history: Mapping[SeriesId, Series], now: datetime) -> None:
        verdicts = rule.evaluate(history, now)
        assert verdicts
        for verdict in verdicts:
            assert verdict.judgement is not Judgement.COULD_NOT_JUDGE
            assert verdict.sentence

    def test_without_data_it_says_so(self, rule: Rule, now: datetime) -> None:
        empty = {SeriesId(metric): Series((), ()) for metric in rule.needs}
        for series in (empty, {}):
            verdicts = rule.evaluate(series, now)
            assert [verdict.judgement for verdict in verdicts] == [Judgement.COULD_NOT_JUDGE]
            assert verdicts[0].sentence

    def test_each_label_set_is_judged_once(self, rule: Rule, history: Mapping[SeriesId, Series], now: datetime) -> None:
        judged = [verdict.labels for verdict in rule.evaluate(history, now)]
        assert len(judged) == len(set(judged))

    def test_the_same_data_gives_the_same_verdict(
        self, rule: Rule, history: Mapping[SeriesId, Series], now: datetime
    ) -> None:
        assert rule.evaluate(history, now) == rule.evaluate(history, now)

    def test_what_was_measured_later_changes_nothing(
        self, rule: Rule, history: Mapping[SeriesId, Series], now: datetime
    ) -> None:
        later = {
            each: Series((*series.times, now + timedelta(days=1)), (*series.values, 1e9))
            for each, series in history.items()
        }
        assert rule.evaluate(later, now) == rule.evaluate(history, now)
