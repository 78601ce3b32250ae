"""The crontab: calendars as cron has them, and what it cannot do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.triggers.cron import CronTrigger

from opsctl.core.errors import SettingsError
from opsctl.schedule.calendar import parse
from opsctl.schedule.cron import cron_lines, crontab
from opsctl.schedule.machine import planned
from opsctl.schedule.serve import trigger
from opsctl.schedule.settings import JobSection, ScheduleSection
from opsctl.schedule.table import ROWS
from opsctl.schedule.units import MARK
from tests.unit.schedule.machines import EVERYTHING

CALENDARS = [
    *(row.job.calendar for row in ROWS),
    "Mon..Fri *:05,35",
    "*-*-01/10 00:00",
    "*-02-29 04:30",
    "Sat,Sun 12:00",
]


@pytest.mark.parametrize(
    ("calendar", "lines"),
    [
        ("*-*-* 02:00:00", ("0 2 * * *",)),
        ("*:0/15", ("*/15 * * * *",)),
        ("Sun *-*-* 06:00", ("0 6 * * 0",)),
        ("Mon..Fri 06:30", ("30 6 * * 1-5",)),
        ("*-01-02 04:30; *-02-11 04:30", ("30 4 2 1 *", "30 4 11 2 *")),
        ("*-*-* 8..17:00/20", ("*/20 8-17 * * *",)),
    ],
)
def test_a_calendar_becomes_lines(calendar: str, lines: tuple[str, ...]) -> None:
    assert cron_lines(parse(calendar), "trial", in_utc=True) == lines


@pytest.mark.parametrize("text", CALENDARS)
def test_cron_and_apscheduler_start_it_when_the_calendar_says(text: str) -> None:
    """Another program's understanding of the lines is held against ours, over two years."""
    calendar = parse(text)
    theirs = [CronTrigger.from_crontab(as_names(line), UTC) for line in cron_lines(calendar, "trial", in_utc=True)]
    moment = datetime(2027, 2, 20, 11, 7, tzinfo=UTC)
    for _ in range(60):
        following = calendar.after(moment)
        later = moment + timedelta(seconds=1)
        assert min(each.get_next_fire_time(None, later) for each in theirs) == following
        assert trigger(calendar).get_next_fire_time(None, later) == following
        moment = following


def as_names(line: str) -> str:
    """APScheduler counts weekdays from Monday, cron from Sunday; both know their names."""
    *others, weekdays = line.split()
    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    return " ".join([*others, "".join(names[int(char)] if char.isdigit() else char for char in weekdays)])


def test_cron_cannot_start_anything_between_minutes() -> None:
    with pytest.raises(SettingsError, match="between whole minutes"):
        cron_lines(parse("*:*:0/20"), "trial", in_utc=True)


def test_cron_would_take_days_of_month_and_week_for_either() -> None:
    with pytest.raises(SettingsError, match="days of the month and on those of the week"):
        cron_lines(parse("Sun *-*-01..07 04:30"), "trial", in_utc=True)


def test_where_the_zone_is_not_utc_only_what_is_due_every_hour_is_possible() -> None:
    assert cron_lines(parse("*:0/15"), "trial", in_utc=False) == ("*/15 * * * *",)
    with pytest.raises(SettingsError, match="this machine's zone"):
        cron_lines(parse("*-*-* 02:00"), "trial", in_utc=False)


def test_the_crontab_has_every_job_with_its_user_and_one_line_for_what_was_missed() -> None:
    plan = planned(EVERYTHING, ScheduleSection(), [JobSection(name="backup", user="opsctl")])
    found = crontab(plan, EVERYTHING, in_utc=True).splitlines()
    words = "/usr/local/bin/opsctl --config /etc/opsctl/opsctl.toml --quiet schedule run"
    assert found[0] == MARK
    assert f"0 2 * * * opsctl {words} backup" in found
    assert f"*/15 * * * * root {words} binlog-ship" in found
    assert found[-2:] == [f"*/10 * * * * {user} {words} --missed" for user in ("opsctl", "root")]


def test_a_percent_sign_is_no_line_end() -> None:
    odd = replace(EVERYTHING, config=Path("/etc/50%/opsctl.toml"))
    assert r"--config /etc/50\%/opsctl.toml" in crontab(planned(odd, ScheduleSection(), ()), odd, in_utc=True)
