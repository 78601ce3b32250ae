"""Calendars: what is understood, when it is due, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.core.errors import SettingsError
from opsctl.schedule.calendar import parse
from opsctl.schedule.table import ROWS

NOW = datetime(2026, 5, 13, 10, 20, 30, tzinfo=UTC)  # a Wednesday


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("*-*-* 02:00:00", "2026-05-13T02:00:00", "2026-05-14T02:00:00"),
        ("02:00", "2026-05-13T02:00:00", "2026-05-14T02:00:00"),
        ("*:0/15", "2026-05-13T10:15:00", "2026-05-13T10:30:00"),
        ("*:*:0/20", "2026-05-13T10:20:20", "2026-05-13T10:20:40"),
        ("Sun *-*-* 06:00:00 UTC", "2026-05-10T06:00:00", "2026-05-17T06:00:00"),
        ("Mon..Fri,Sun 06:00", "2026-05-13T06:00:00", "2026-05-14T06:00:00"),
        ("Saturday", "2026-05-09T00:00:00", "2026-05-16T00:00:00"),
        ("*-02-29 04:30", "2024-02-29T04:30:00", "2028-02-29T04:30:00"),
        ("*-01..03,12-31 00:00", "2026-03-31T00:00:00", "2026-12-31T00:00:00"),
        ("*-*-01 04:30; *-*-15 04:30", "2026-05-01T04:30:00", "2026-05-15T04:30:00"),
        ("hourly", "2026-05-13T10:00:00", "2026-05-13T11:00:00"),
        ("monthly", "2026-05-01T00:00:00", "2026-06-01T00:00:00"),
    ],
)
def test_a_calendar_says_when_it_was_due_and_when_it_will_be(text: str, before: str, after: str) -> None:
    calendar = parse(text)
    assert (calendar.until(NOW), calendar.after(NOW)) == (at(before), at(after))


def test_a_moment_that_is_due_is_the_last_one_and_not_the_next() -> None:
    calendar = parse("*-*-* 02:00:00")
    due = at("2026-05-13T02:00:00")
    assert calendar.until(due) == due
    assert calendar.after(due) == at("2026-05-14T02:00:00")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("*-*-* 02:00;", "empty"),
        ("sometimes", "no day of the week"),
        ("*-*-* 02:00 Europe/Berlin", "another zone than UTC"),
        ("*-*-* 02:00 CET", "another zone than UTC"),
        ("2026-05-01 02:00", "the year has to be"),
        ("*-*~03 02:00", "no date"),
        ("*-02-30 02:00", "no such day"),
        ("*-*-* 24:00", "not within 0 to 23"),
        ("*-*-* 02:00:00.5", "no number"),
        ("*-*-* 02:00:00:00", "no time"),
        ("*-*-* 0/0:00", "not within"),
        ("Fri..Mon 02:00", "goes backwards"),
        ("*-*-* 20..10:00", "not within"),
        ("*-*-* 02:00 03:00", "comes after the time"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_part_that_is_not(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        parse(text)


@given(st.sampled_from([row.job.calendar for row in ROWS]), st.integers(0, 8 * 366 * 86400))
def test_nothing_is_due_between_the_last_moment_and_the_next(text: str, later_s: int) -> None:
    calendar, moment = parse(text), at("2024-01-01T00:00:00") + timedelta(seconds=later_s)
    last, following = calendar.until(moment), calendar.after(moment)
    assert last <= moment < following
    assert calendar.after(last) == following
    assert calendar.until(following - timedelta(seconds=1)) == last


def test_drills_are_never_more_than_41_days_apart() -> None:
    """Objectives ask for one within 42 days, and the next has to have passed by then."""
    calendar = parse(next(row.job.calendar for row in ROWS if row.job.name == "drill"))
    moment = at("2026-01-01T00:00:00")
    while moment < at("2034-01-01T00:00:00"):
        following = calendar.after(moment)
        assert following - moment <= timedelta(days=41)
        moment = following
