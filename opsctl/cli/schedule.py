"""`opsctl schedule`: jobs that run by themselves."""

import getpass
from typing import Annotated

import typer

from opsctl.cli import output
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import schedule as view
from opsctl.core.errors import SettingsError
from opsctl.overview import schedule_wire, wire
from opsctl.schedule import install as installation
from opsctl.schedule.by_hand import run_missed, run_one
from opsctl.schedule.machine import find
from opsctl.schedule.serve import serve as serve_jobs
from opsctl.schedule.standing import standings

app = new_group("Run jobs by themselves: by systemd, cron, or a service of its own.")


@command(app, "install")
def install(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="By systemd (default, where it runs).")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="By cron.")] = False,
) -> Answer:
    """Let this machine's jobs run by themselves: write timers or a crontab, and remove those of jobs that are gone.

    What is as it should be is left alone.
    """
    if systemd and cron:
        raise SettingsError("--systemd and --cron exclude each other")
    machine, plan = schedule_wire.machine(session.loaded), schedule_wire.plan(session.loaded)
    means: installation.Means = "cron" if cron else "systemd" if systemd else installation.means_here()
    changes = installation.changes(plan, machine, means)
    if not dry_run:
        installation.install(plan, machine, changes, means)
    document = view.installed(means, plan, changes, dry_run=dry_run)
    return Answer(document, lambda paint: view.install_text(document, paint), report=not dry_run)


@command(app, "list")
def list_(
    session: Session,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Also jobs of other places, and why they are none here.")
    ] = False,
) -> Answer:
    """List this machine's jobs: when each runs next, how it ended last, and whether a run is missing."""
    machine, plan = schedule_wire.machine(session.loaded), schedule_wire.plan(session.loaded)
    found = standings(plan, machine, wire.ledger(session.settings))
    document = view.listed(machine, found, installation.active_timers(), every=every)
    return Answer(document, lambda paint: view.list_text(document, paint))


@command(app, "run")
def run(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="JOB", help="The job's name.")] = None,
    *,
    missed: Annotated[bool, typer.Option("--missed", help="Every job that should have begun and did not.")] = False,
) -> Answer:
    """Run a job now, as its timer would: with its lock, its time limit, and a record of how it ended."""
    if missed == (name is not None):
        raise SettingsError("name one job, or give --missed", hint="opsctl schedule list")
    jobs, plan, user = schedule_wire.jobs(session.loaded), schedule_wire.plan(session.loaded), getpass.getuser()
    if name is None:
        document = view.ran(run_missed(jobs, plan, user=user))
    else:
        record = run_one(jobs, find(plan, jobs.machine, name), user=user, lock_wait_s=session.options.lock_wait_s)
        document = view.ran([record])
    return Answer(document, lambda paint: view.run_text(document, paint), view.exit_code(document), report=True)


@command(app, "serve")
def serve(session: Session) -> Answer:
    """Run this machine's jobs when they are due, until it is ended: where there is neither systemd nor cron."""
    jobs, plan = schedule_wire.jobs(session.loaded), schedule_wire.plan(session.loaded)
    told = view.Teller(output.Painter(session.options.color and output.colors_wanted()), quiet=session.options.quiet)
    serve_jobs(jobs, plan, told)
