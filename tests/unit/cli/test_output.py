"""Answers on standard output: text, JSON, tables, words."""

import json
from datetime import datetime, timedelta, timezone
from typing import Literal

import pytest

from opsctl.cli import words
from opsctl.cli.output import Answer, Document, Painter, deliver
from opsctl.cli.table import Cell, figures, table
from opsctl.core.errors import ExitCode

PLAIN = Painter(False)


class Sample(Document):
    """A sample."""

    kind: Literal["sample"] = "sample"
    name: str


def answer(code: ExitCode = ExitCode.DONE, *, report: bool = False) -> Answer:
    return Answer(Sample(name="grün"), lambda paint: [paint("text", "green")], code, report)


def test_json_is_versioned_and_names_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert deliver(answer(ExitCode.FINDINGS), as_json=True, quiet=True, color=True) == 4
    assert json.loads(capsys.readouterr().out) == {"version": 1, "kind": "sample", "name": "grün"}


def test_quiet_silences_success_but_neither_data_nor_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    deliver(answer(report=True), as_json=False, quiet=True, color=False)
    assert capsys.readouterr().out == ""
    deliver(answer(ExitCode.PARTIAL, report=True), as_json=False, quiet=True, color=False)
    deliver(answer(), as_json=False, quiet=True, color=False)
    assert capsys.readouterr().out == "text\ntext\n"


def test_no_colours_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    deliver(answer(), as_json=False, quiet=False, color=True)
    assert "\x1b" not in capsys.readouterr().out


def test_a_table_fits_into_80_columns_and_loses_no_word() -> None:
    long = "a sentence of many words that goes on and on until no terminal is wide enough " * 2
    lines = list(table(("id", "what"), [("20260501T020000Z-full-1a2b3c4d", long), ("b", "short")], PLAIN))
    assert max(len(line) for line in lines) <= 80
    assert " ".join(" ".join(line[32:].split()) for line in lines[1:-1]).split() == long.split()


def test_numbers_are_aligned_to_the_right() -> None:
    rows = [(Cell("5", right=True),), (Cell("123", right=True),)]
    assert list(table(("n",), rows, PLAIN)) == ["  n", "  5", "123"]


def test_colours_do_not_shift_columns() -> None:
    colored = list(table(("a", "b"), [(Cell("x", "red"), "y")], Painter(True)))
    assert colored[1] == "\x1b[31mx\x1b[0m  y"


def test_an_empty_table_is_its_header() -> None:
    assert list(table(("a", "b"), [], PLAIN)) == ["a  b"]


def test_figures_stand_in_one_column() -> None:
    assert list(figures([("a", "1"), ("long", "2")], PLAIN)) == ["a     1", "long  2"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (4_210_000, "4.21 MB"), (999_600, "1 MB"), (1_060_000_000, "1.06 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.04, "0.0 s"),
        (12.4, "12 s"),
        (185, "3 min 5 s"),
        (3000, "50 min"),
        (7800, "2 h 10 min"),
        (273_600, "3 days 4 h"),
    ],
)
def test_durations(duration_s: float, text: str) -> None:
    assert words.seconds(duration_s) == text


def test_times_are_the_same_on_every_machine() -> None:
    assert (
        words.when(datetime(2026, 5, 1, 8, tzinfo=timezone(timedelta(hours=5, minutes=30))))
        == "2026-05-01 02:30:00 UTC"
    )
    assert words.when(None) == "never"
