"""The table of jobs: every row is a job that can run, and the settings change it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from opsctl.cli.main import app
from opsctl.core.errors import SettingsError
from opsctl.core.job import Job
from opsctl.schedule.calendar import parse
from opsctl.schedule.machine import find, planned
from opsctl.schedule.settings import JobSection, ScheduleSection
from opsctl.schedule.table import ROWS, Row
from tests.contracts.job import JobContract
from tests.unit.schedule.machines import EVERYTHING, machine_at

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.job.name)


@pytest.fixture(params=ROWS, ids=lambda row: row.job.name)
def job(request: pytest.FixtureRequest) -> Job:
    row: Row = request.param
    return row.job


class TestJobs(JobContract):
    pass


def parse_words(command: Any, words: list[str], context: Any) -> list[str]:
    """Let the command line read words, as it would before it runs them; the names of the commands they lead to."""
    if not hasattr(command, "commands"):
        command.make_context(words[0] if words else None, words[1:], parent=context)
        return words[:1]
    found = command.get_command(context, words[0])
    assert found is not None, f"there is no command {words[0]}"
    inner = typer.Context(command, info_name=words[0], parent=context)
    if hasattr(found, "commands"):
        return [words[0], *parse_words(found, words[1:], inner)]
    found.make_context(words[0], list(words[1:]), parent=inner)
    return [words[0]]


@rows
def test_the_words_of_a_job_are_a_command_that_there_is(row: Row) -> None:
    root = typer.main.get_command(app)
    assert parse_words(root, list(row.job.argv), typer.Context(root))


@pytest.mark.parametrize("words", [["backup", "frobnicate"], ["backup", "run", "--frobnicate"], ["frobnicate"]])
def test_words_that_are_no_command_are_found_out(words: list[str]) -> None:
    root = typer.main.get_command(app)
    with pytest.raises((AssertionError, TyperException), match="frobnicate"):
        parse_words(root, words, typer.Context(root))


@rows
def test_the_random_delay_of_a_job_leaves_room_before_the_next_run(row: Row) -> None:
    calendar = parse(row.job.calendar)
    first = calendar.after(datetime(2026, 5, 13, tzinfo=UTC))
    assert row.delay_s < (calendar.after(first) - first).total_seconds() / 10


def test_names_are_unique() -> None:
    assert len({row.job.name for row in ROWS}) == len(ROWS)


def test_settings_change_single_jobs_and_nothing_else() -> None:
    section = ScheduleSection(user="opsctl")
    changed = JobSection(name="backup", calendar="*-*-* 03:00", timeout_s=60, user="root", enabled=False)
    plan = {each.job.name: each for each in planned(EVERYTHING, section, [changed])}
    backup, ship = plan["backup"], plan["binlog-ship"]
    assert (backup.job.calendar, backup.job.timeout_s, backup.user, backup.enabled) == (
        "*-*-* 03:00",
        60,
        "root",
        False,
    )
    assert backup.calendar == parse("*-*-* 03:00")
    assert (ship.user, ship.enabled, ship.job) == ("opsctl", True, ship.row.job)


def test_each_place_has_its_own_jobs() -> None:
    on_host = {each.job.name for each in planned(machine_at("host"), ScheduleSection(), ())}
    on_drill_host = {each.job.name for each in planned(machine_at("drill_host"), ScheduleSection(), ())}
    assert {"backup", "binlog-ship"} <= on_host
    assert "drill" in on_drill_host
    assert not on_host & on_drill_host
    assert {each.job.name for each in planned(EVERYTHING, ScheduleSection(), ())} >= on_host | on_drill_host


def test_a_job_of_another_place_is_refused_by_name() -> None:
    machine = machine_at("host")
    plan = planned(machine, ScheduleSection(), ())
    with pytest.raises(SettingsError, match=r"'drill' is none of this machine's: it runs on the drill host") as raised:
        find(plan, machine, "drill")
    assert raised.value.exit_code == 2


def test_settings_of_a_job_of_another_place_are_a_mistake() -> None:
    with pytest.raises(SettingsError, match="none of this machine's"):
        planned(machine_at("host"), ScheduleSection(), [JobSection(name="drill", enabled=False)])


def test_a_job_without_what_it_needs_is_none_of_this_machines() -> None:
    poor = replace(EVERYTHING, has=frozenset({"backup"}))
    assert "vault-verify" not in {each.job.name for each in planned(poor, ScheduleSection(), ())}
    with pytest.raises(SettingsError, match=r"do not have \[vault\]"):
        find((), poor, "vault-verify")


def test_what_is_pruned_by_itself_is_named_and_only_where_the_settings_say_what_stays() -> None:
    prune = find(planned(EVERYTHING, ScheduleSection(), ()), EVERYTHING, "prune")
    assert prune.job.argv[:4] == ("backup", "prune", "--confirm", "local")
    poor = replace(EVERYTHING, has=EVERYTHING.has - {"retention"})
    with pytest.raises(SettingsError, match=r"nothing is deleted by itself unless they say what is kept"):
        find((), poor, "prune")


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="did you mean 'backup'"):
        find((), EVERYTHING, "bakcup")


def test_a_calendar_that_is_not_understood_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ValueError, match="not understood"):
        JobSection(name="backup", calendar="whenever")
