"""`opsctl anomalies`: measure, and judge what was measured."""

from anomaly_rules.collect import collect
from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import anomalies_collect as collect_view
from opsctl.core.clock import utcnow
from opsctl.core.errors import ExitCode
from opsctl.overview import measuring

app = new_group("Measure, and judge what was measured.")


@app.callback()
def group() -> None:
    """Measure, and judge what was measured."""


@command(app, "collect")
def collect_samples(session: Session) -> Answer:
    """Read every source, and keep what is new or was revised; a source that cannot be read stops no other."""
    settings = session.settings
    found = collect(
        measuring.collectors(settings),
        measuring.store(settings),
        measuring.limits(settings),
        session.progress,
        now=utcnow(),
    )
    document = collect_view.collected(found)
    code = ExitCode.PARTIAL if document.unreadable else ExitCode.DONE
    return Answer(document, lambda paint: collect_view.collect_text(document, paint), code, report=True)
