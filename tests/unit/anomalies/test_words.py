"""What findings look like: quantities, sparklines, charts; and the files that rules are written in."""

from datetime import UTC, datetime, timedelta

import pytest

from anomaly_rules.catalogue import catalogue
from anomaly_rules.chart import chart
from anomaly_rules.kinds import KINDS, Context, parameters_of
from anomaly_rules.settings import AnomaliesSection
from anomaly_rules.spec import read, shipped
from anomaly_rules.words import quantity, sparkline
from opsctl.core.errors import SettingsError

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (1204.0, "calls", "1,204 calls"),
        (0.123, "share", "12.3 %"),
        (12.5, "USD", "12.50 USD"),
        (4.2e9, "bytes", "4.2 GB"),
        (7200.0, "s", "2 h"),
        (90.0, "s", "90 s"),
        (3.14159, "", "3.14"),
        (-5.0, "USD", "-5.00 USD"),
    ],
)
def test_quantities_are_short(value: float, unit: str, said: str) -> None:
    assert quantity(value, unit) == said


def test_a_sparkline_is_one_row_with_holes_where_nothing_was_measured() -> None:
    assert sparkline((1.0, 2.0, None, 8.0)) == "▁▂ █"
    assert sparkline((5.0, 5.0)) == "▁▁"
    assert sparkline((None,)) == ""


def test_a_chart_shows_its_highest_value_also_where_columns_are_shared() -> None:
    points = [(START + timedelta(hours=hour), 500.0 if hour == 301 else 10.0 + hour % 7) for hour in range(480)]
    lines = list(chart(points, "calls", since=START + timedelta(hours=301), expected=13.0))
    assert lines[0].startswith("500 calls │")
    assert lines[0].count("█") == 1
    assert max(map(len, lines)) <= 80
    assert lines[0].index("█") == next(line for line in lines if "↑" in line).index("↑")


@pytest.mark.parametrize("values", [[0.0] * 5, [-3.0, 4.0], [1e12, 2e12], [None, 7.0]])
def test_a_chart_of_anything_is_no_wider_than_a_terminal(values: list[float | None]) -> None:
    points = [(START + timedelta(days=day), value) for day, value in enumerate(values)]
    for expected in (None, 0.0, 5.0):
        assert max(map(len, chart(points, "bytes", since=START, expected=expected))) <= 80


def test_a_chart_of_nothing_says_so() -> None:
    assert list(chart([(START, None)], "", since=None, expected=None)) == ["nothing was measured"]


def test_every_shipped_rule_says_why_and_what_to_do() -> None:
    rules = shipped()
    assert len({rule.id for rule in rules}) == len(rules) >= 40
    for rule in rules:
        assert rule.kind in KINDS
        assert rule.reason.endswith(".")
        assert rule.act.endswith(".")


def test_without_sources_every_shipped_rule_is_idle() -> None:
    found = catalogue(shipped(), (), AnomaliesSection(), Context({}))
    assert found.rules == ()
    assert len(found.idle) == len(shipped())


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_explained(kind: str) -> None:
    for name, meaning in parameters_of(kind):
        assert len(meaning) > 10, name


@pytest.mark.parametrize(
    ("text", "said"),
    [("[[rules]", "no valid TOML"), ('[[rules]]\nid = "X"\n', "lacks 'question'"), ("[[rule]]\n", "rule")],
)
def test_a_file_of_rules_with_mistakes_names_them(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(text, "own.toml")
    assert said in error.value.message
    assert error.value.where == "own.toml"
