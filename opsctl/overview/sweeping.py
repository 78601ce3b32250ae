"""Sweeps of a repository, with the ages that the settings allow to what is newest in it."""

from datetime import timedelta

from backup.summary import remember
from backup.sweep.records import SweepBody
from backup.sweep.run import Growth, sweep
from opsctl.core.progress import Progress
from opsctl.core.record import Record
from opsctl.core.result import Outcome
from opsctl.overview import wire
from opsctl.settings import Settings

_FRESH_H = 26.0


def run(settings: Settings, name: str | None, percent: float, *, progress: Progress) -> Record[SweepBody]:
    """Read a part of a repository; see `backup.sweep.run.sweep`."""
    chosen = settings.require_repository(name)
    late = timedelta(minutes=settings.copies.fresh_min if chosen.off_host else 0)
    growth = Growth(
        timedelta(hours=settings.backup.fresh_h if settings.backup else _FRESH_H) + late,
        timedelta(minutes=settings.binlog.fresh_min) + late,
    )
    catalog, ledger = wire.catalog(settings, chosen.name), wire.ledger(settings)
    record = sweep(catalog, chosen.name, percent, growth, ledger=ledger, progress=progress)
    if record.outcome is Outcome.PASSED:
        remember(catalog, settings.machine.state_dir)
    return record
