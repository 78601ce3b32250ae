"""The crontab of the jobs, for machines without systemd.

cron starts nothing that it missed and knows no randomness. So there is one more line, which every ten minutes starts
what should have begun and did not; a job that runs is locked, so the two never meet.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from opsctl.core.errors import SettingsError
from opsctl.schedule.calendar import Calendar, Rule, compact
from opsctl.schedule.machine import Machine, Planned
from opsctl.schedule.units import MARK

CRONTAB = Path("/etc/cron.d/opsctl")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EVERY_TEN_MINUTES = "*/10 * * * *"


def crontab(plan: Sequence[Planned], machine: Machine, *, in_utc: bool) -> str:
    """The whole file. `in_utc`: this machine's zone, by which cron goes, is UTC. Raises SettingsError."""
    lines = [MARK, "SHELL=/bin/sh", f"PATH={_PATH}", ""]
    for each in plan:
        lines.append(f"# {each.row.what}")
        lines += [
            f"{when} {each.user} {_command(machine, each.job.name)}"
            for when in cron_lines(each.calendar, each.job.name, in_utc=in_utc)
        ]
    users = sorted({each.user for each in plan})
    lines.append("# what should have begun and did not")
    lines += [f"{_EVERY_TEN_MINUTES} {user} {_command(machine, '--missed')}" for user in users]
    return "\n".join(lines) + "\n"


def cron_lines(calendar: Calendar, name: str, *, in_utc: bool) -> tuple[str, ...]:
    """A calendar as the first five words of crontab(5). Raises SettingsError for what cron cannot do."""
    return tuple(
        _line(rule, text, name, in_utc=in_utc) for rule, text in zip(calendar.rules, calendar.expressions, strict=True)
    )


def _line(rule: Rule, text: str, name: str, *, in_utc: bool) -> str:
    every_hour = len(rule.hours) == 24
    days = compact(rule.days, 1, 31)
    weekdays = compact(sorted((day + 1) % 7 for day in rule.weekdays), 0, 6)
    if rule.seconds != (0,):
        raise _impossible(name, text, "cron starts nothing between whole minutes")
    if days != "*" and weekdays != "*":
        raise _impossible(name, text, "cron would run it on those days of the month and on those of the week")
    words = (compact(rule.minutes, 0, 59), compact(rule.hours, 0, 23), days, compact(rule.months, 1, 12), weekdays)
    if not in_utc and not (every_hour and words[2:] == ("*", "*", "*")):
        raise SettingsError(
            f"cron cannot run the job '{name}' at '{text}' UTC: it goes by this machine's zone, which is another",
            hint="timedatectl set-timezone UTC, or run: opsctl schedule serve",
        )
    return " ".join(words)


def _impossible(name: str, text: str, why: str) -> SettingsError:
    return SettingsError(
        f"cron cannot run the job '{name}' at '{text}': {why}",
        hint="write another calendar under [[jobs]], or run: opsctl schedule serve",
    )


def _command(machine: Machine, what: str) -> str:
    words = (str(machine.program), "--config", str(machine.config), "--quiet", "schedule", "run", what)
    return shlex.join(words).replace("%", r"\%")
