"""Machines for tests of the schedule."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from opsctl.core.job import Job
from opsctl.schedule.calendar import parse
from opsctl.schedule.machine import Machine, Planned
from opsctl.schedule.table import Row

EVERYTHING = Machine(
    program=Path("/usr/local/bin/opsctl"),
    config=Path("/etc/opsctl/opsctl.toml"),
    stack="acme",
    place="all",
    state_dir=Path("/var/lib/opsctl"),
    lock_dir=Path("/run/opsctl"),
    has=frozenset({"backup", "copies", "drill", "exports", "repository", "retention", "vault"}),
    secrets={"signing": (Path("/etc/opsctl/signing_key"),), "notify": (Path("/etc/opsctl/operator.url"),)},
    writes={"repositories": (Path("/var/backups/opsctl"),), "scratch": (Path("/srv/scratch"),)},
    repository="local",
)


def machine_at(place: Literal["host", "drill_host", "operator", "all"]) -> Machine:
    """The same machine at another place."""
    return replace(EVERYTHING, place=place)


def planned(
    *argv: str, calendar: str = "*-*-* 02:00:00", timeout_s: float = 60, expects: str = "ledger-verification"
) -> Planned:
    """A job called `trial`."""
    job = Job(name="trial", argv=argv, calendar=calendar, runs_on="host", timeout_s=timeout_s, expects=expects)
    return Planned(row=Row(job, "a trial"), job=job, calendar=parse(calendar), delay_s=0.0, user="root", enabled=True)
