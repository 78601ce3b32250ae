"""`opsctl anomalies`: measure, and judge what was measured."""

import getpass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from anomaly_rules import run as running
from anomaly_rules.collect import Collected, collect
from anomaly_rules.findings import history
from anomaly_rules.metric import Cadence
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import anomalies_collect as collect_view
from opsctl.cli.views import anomalies_explain as explain_view
from opsctl.cli.views import anomalies_rules as rules_view
from opsctl.cli.views import anomalies_run as run_view
from opsctl.core.clock import parse_instant, utcnow
from opsctl.core.errors import ExitCode, SettingsError
from opsctl.overview import measuring, watching

app = new_group("Measure, and judge what was measured.")


@command(app, "collect")
def collect_samples(session: Session) -> Answer:
    """Read every source, and keep what is new or was revised; a source that cannot be read stops no other."""
    document = collect_view.collected(_collected(session))
    code = ExitCode.PARTIAL if document.unreadable else ExitCode.DONE
    return Answer(document, lambda paint: collect_view.collect_text(document, paint), code, report=True)


def _collected(session: Session) -> tuple[Collected, ...]:
    settings = session.settings
    return collect(
        measuring.collectors(settings),
        measuring.store(settings),
        measuring.limits(settings),
        session.progress,
        now=utcnow(),
    )


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The finding's id, or its beginning.")]


@command(app, "run")
def run(
    session: Session,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Judge what was known then; nothing is written or sent. It names its zone."),
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this rule (again for more).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge now, and write and send nothing.")] = False,
    collect_first: Annotated[bool, typer.Option("--collect", help="Read every source first, as collect does.")] = False,
) -> Answer:
    """Judge all measurements; exit 4 with findings, else 3 when something could not be checked."""
    settings = session.settings
    if collect_first:
        _collected(session)
    watch = watching.watch(settings)
    wanted = tuple(rule or ())
    for name in wanted:
        rules_view.one(rules_view.rules(watch.catalogue, {}), name)
    if at is not None or wanted or dry_run:
        found = running.look(watch, parse_instant(at) if at else utcnow(), wanted)
        undelivered: tuple[str, ...] = ()
    else:
        found = running.run(watch, utcnow(), wait_s=session.options.lock_wait_s)
        undelivered = watching.tell(settings, found)
    document = run_view.ran(found, undelivered)
    return Answer(document, lambda paint: run_view.run_text(document, paint), _code(found), report=True)


def _code(found: running.Ran) -> ExitCode:
    if found.counted:
        return ExitCode.FINDINGS
    return ExitCode.PARTIAL if found.unread or found.unchecked else ExitCode.DONE


@command(app, "list")
def list_(
    session: Session,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> Answer:
    """List findings: open, acknowledged and muted ones."""
    found = running.findings(watching.watch(session.settings))
    document = run_view.listed(finding for finding in found if finding.open or all_)
    return Answer(document, lambda paint: run_view.list_text(document, paint, utcnow()))


@command(app, "rules")
def rules(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this rule in full.")] = None,
    kinds: Annotated[bool, typer.Option("--kinds", help="Show the kinds of rules and their parameters.")] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="Show what is measured here.")] = False,
) -> Answer:
    """List the rules: what each asks, and why one is not run here."""
    watch = watching.watch(session.settings)
    document = rules_view.rules(watch.catalogue, watch.samples.metrics())
    if name is not None:
        only = rules_view.one(document, name)
        return Answer(only, lambda paint: rules_view.rule_text(only, paint))
    write = rules_view.kinds_text if kinds else rules_view.metrics_text if metrics else rules_view.rules_text
    return Answer(document, lambda paint: write(document, paint))


@command(app, "explain")
def explain(
    session: Session,
    finding: IdArgument,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days of the series to draw (default: what suits it).")
    ] = None,
) -> Answer:
    """Explain a finding: why its rule fires, its life, and its series as a chart."""
    watch = watching.watch(session.settings)
    found = running.find(watch, finding)
    metric = watch.samples.metrics().get(found.newest.metric)
    series = running.series_of(watch, found, days)
    life = history(watch.ledger, watch.stack, found.id)
    document = explain_view.explained(found, life, watch.catalogue.specs.get(found.newest.rule), metric, series)
    return Answer(document, lambda paint: explain_view.explain_text(document, paint))


@command(app, "mute")
def mute(
    session: Session,
    finding: IdArgument,
    reason: Annotated[str, typer.Option(help="Why nobody has to hear of it.")],
    for_: Annotated[str | None, typer.Option("--for", metavar="TIME", help="How long: 12h, 7d, 2w.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until when; it names its zone.")] = None,
) -> Answer:
    """Let a finding be silent for a time, also when it goes and comes back. It stays in the list."""
    watch, now = watching.watch(session.settings), utcnow()
    found = running.find(watch, finding)
    muted = running.mute(watch, found, until=_end(for_, until, now), reason=reason, by=getpass.getuser(), at=now)
    document = run_view.said(muted)
    return Answer(document, lambda paint: run_view.said_text(document, paint, now), report=True)


def _end(for_: str | None, until: str | None, now: datetime) -> datetime:
    if (for_ is None) == (until is None):
        raise SettingsError("say either --for or --until", hint="opsctl anomalies mute ID --for 7d --reason WHY")
    length: timedelta | None = running.duration(for_) if for_ else None
    return now + length if length else parse_instant(until or "")


@command(app, "unmute")
def unmute(session: Session, finding: IdArgument) -> Answer:
    """End a mute before its time."""
    watch, now = watching.watch(session.settings), utcnow()
    document = run_view.said(running.unmute(watch, running.find(watch, finding), by=getpass.getuser(), at=now))
    return Answer(document, lambda paint: run_view.said_text(document, paint, now), report=True)


@command(app, "acknowledge")
def acknowledge(
    session: Session,
    finding: IdArgument,
    reason: Annotated[str | None, typer.Option(help="What is being done.")] = None,
) -> Answer:
    """Say that somebody knows: a finding is told again only when it gets worse, or comes back."""
    watch, now = watching.watch(session.settings), utcnow()
    found = running.find(watch, finding)
    document = run_view.said(running.acknowledge(watch, found, reason=reason, by=getpass.getuser(), at=now))
    return Answer(document, lambda paint: run_view.said_text(document, paint, now), report=True)


@command(app, "backtest")
def backtest(
    session: Session,
    *,
    csv: Annotated[Path, typer.Option(metavar="FILE", help="CSV file with a header line.")],
    time: Annotated[str, typer.Option(metavar="COL", help="Column of the time.")],
    value: Annotated[str, typer.Option(metavar="COL", help="Column of the value.")],
    rule: Annotated[str, typer.Option(metavar="KIND", help="Kind of rule: opsctl anomalies rules --kinds")],
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column that tells series apart.")] = None,
    every: Annotated[
        Literal["day", "hour"] | None, typer.Option(help="Resample to days or hours (default: what suits the times).")
    ] = None,
    by: Annotated[
        Literal["mean", "sum", "last", "max", "count"] | None,
        typer.Option(help="How several values become one (default: mean; sum for gap)."),
    ] = None,
    zone: Annotated[str, typer.Option(metavar="ZONE", help="Zone of times that name none.")] = "UTC",
    param: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A parameter of the kind (again for more).")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="WINDOWS.json", help="When something was wrong: [[start, end], …].")
    ] = None,
) -> Answer:
    """Replay a rule over any series as it would have run, and hold its alarms against what was wrong."""
    from anomaly_rules.backtest import run as replaying
    from opsctl.cli.views import anomalies_backtest as view

    request = replaying.Request(
        csv=csv,
        columns=replaying.columns(time=time, value=value, label=label, zone=zone),
        every={"day": Cadence.DAILY, "hour": Cadence.HOURLY}[every] if every else None,
        by=by,
        kind=rule,
        params=replaying.parameters(param or ()),
        truth=truth,
    )
    session.progress.step(f"replaying {csv.name}")
    document = view.backtested(rule, replaying.backtest(request))
    return Answer(document, lambda paint: view.backtest_text(document, paint))
