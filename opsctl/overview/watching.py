"""Builds what judges measurements from the settings: samples, all rules, and the ledger with the findings."""

from anomaly_rules.catalogue import Catalogue, catalogue
from anomaly_rules.kinds import Context
from anomaly_rules.run import Ran, Watch
from anomaly_rules.spec import shipped
from anomaly_rules.telling import SCOPE, troubles, unchanged
from opsctl.overview import measuring, told, wire
from opsctl.settings import Settings


def watch(settings: Settings) -> Watch:
    """What a run works with. Raises SettingsError for a rule that cannot be used."""
    samples = measuring.samples(settings)
    context = Context(samples.metrics(), frozenset(settings.anomalies.holidays))
    found: Catalogue = catalogue(shipped(), settings.rules, settings.anomalies, context)
    return Watch(settings.stack.name, samples, found, wire.ledger(settings), settings.machine.lock_dir)


def tell(settings: Settings, ran: Ran) -> tuple[str, ...]:
    """Tell whoever is to hear of what is open now, critical findings at once, the others once a day.

    What could not be told comes back, in sentences; it is tried again.
    """
    notifier = told.notifier(settings)
    notifier.hear(SCOPE, troubles(ran.open, ran.at), unjudged=unchanged(ran.open, ran.at))
    report = notifier.deliver()
    failed = (f"{each.target}: {each.error}" for each in report.attempts if each.error)
    return (*report.problems, *failed)
