"""`opsctl health`: look at what visitors and jobs depend on, and recover what may be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import health as view
from opsctl.core.errors import SettingsError
from opsctl.core.notify.outbox import Trouble
from opsctl.health import heard
from opsctl.health.run import health_run
from opsctl.health.settings import VisitSection
from opsctl.health.watch import SCOPE, watch
from opsctl.overview import health, told

app = new_group("Look at what visitors and jobs depend on, and recover what may be.")


@command(app, "run")
def run(
    session: Session,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only checks of this name; * stands for any. Repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look: restart nothing, tell nobody, record nothing.")
    ] = False,
) -> Answer:
    """Look at everything once, restart what the settings allow, and tell people what began or ended."""
    settings = session.settings
    patient = health.patient(settings, only or ())
    report = health_run(patient, act=not dry_run)
    problems: list[str] = []
    if not dry_run:
        notifier = told.notifier(settings)
        heard.tell(notifier, report, whole=not only)
        problems = view.problems(notifier.deliver())
        if not only:
            problems += heard.show(settings.notify, patient.stack, report)
    document = view.looked(patient.stack, report, health.unwatched(settings), problems)
    return Answer(document, lambda paint: view.text(document, paint), view.run_code(report), report=True)


@command(app, "watch")
def watch_(
    session: Session,
    *,
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="What is asked for.")],
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="How often.")] = 60,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Seconds from one time to the next.")] = 60.0,
    status: Annotated[int, typer.Option(min=100, max=599, help="Status that the answer has to have.")] = 200,
    words: Annotated[str | None, typer.Option("--text", help="Words that have to be in the answer.")] = None,
    ca_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Authorities that are believed (PEM).")] = None,
) -> Answer:
    """Ask for addresses from outside, again and again, and record how available they were.

    Run it on another machine than the one that serves them.
    """
    settings = session.settings
    notifier = told.notifier(settings)

    def hear(troubles: Sequence[Trouble]) -> None:
        notifier.hear(SCOPE, troubles)
        notifier.deliver()

    bodies = watch(
        _visits(urls, status, words, ca_file),
        stack=settings.stack.name,
        ledger=told.ledger(settings),
        samples=samples,
        every_s=every,
        hear=hear,
    )
    document = view.watched(bodies)
    return Answer(document, lambda paint: view.watch_text(document, paint), view.watch_code(bodies), report=True)


def _visits(urls: Sequence[str], status: int, text: str | None, ca_file: Path | None) -> list[VisitSection]:
    try:
        return [
            VisitSection(name=f"watch-{number}", url=url, status=status, text=text, ca_file=ca_file)
            for number, url in enumerate(urls, start=1)
        ]
    except ValidationError as error:
        raise SettingsError("what is watched is no address", hint="write it like https://blog.example/") from error
