"""What `opsctl health` looks at on this machine, put together from the settings."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.core.clock import SKEW, utcnow
from opsctl.core.errors import SettingsError
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.probe import Probe
from opsctl.core.runner import LocalRunner, Runner
from opsctl.health.certificates import certificate_probes
from opsctl.health.context import Patient
from opsctl.health.database import database_probes
from opsctl.health.disk import disk_probes
from opsctl.health.php_fpm import php_fpm_probe
from opsctl.health.state import Maintenance, current
from opsctl.health.systemd import timer_probes, unit_probe
from opsctl.health.visit import visit_probe
from opsctl.overview import told
from opsctl.settings import Settings

if TYPE_CHECKING:
    from backup.catalog import Catalog
    from opsctl.health.maintenance import Desk

# A drill host reads a copy, which arrives later than the original.
_LATE = 3


def patient(settings: Settings, only: Sequence[str] = ()) -> Patient:
    """This machine, with the checks whose names match one of the patterns `only`, or all. Raises SettingsError."""
    maintenance = current(settings.machine.state_dir, utcnow())
    probes = list(_probes(settings, maintenance))
    chosen = [probe for probe in probes if not only or any(fnmatchcase(probe.id, pattern) for pattern in only)]
    if not chosen:
        raise SettingsError(
            f"no check is named {' or '.join(only)}", hint="see their names: opsctl health run --dry-run --json"
        )
    return Patient(
        stack=settings.stack.name,
        machine=settings.machine,
        health=settings.health,
        probes=chosen,
        recoveries=settings.recoveries,
        maintenance=maintenance,
        ledger=told.ledger(settings),
        runner=LocalRunner(),
    )


def desk(settings: Settings) -> "Desk":
    """Where maintenance of this machine is switched. Raises SettingsError where there is no web server to do it."""
    from opsctl.health.maintenance import Desk

    if not settings.nginx.enabled or settings.stack.root != Path("/"):
        raise SettingsError(
            "maintenance is switched on the host itself, where its nginx runs",
            hint="compare nginx.enabled and stack.root: opsctl config show",
        )
    return Desk(
        stack=settings.stack.name,
        machine=settings.machine,
        settings=settings.maintenance,
        config=settings.nginx.config,
        visits=settings.visits,
        ledger=told.ledger(settings),
        runner=LocalRunner(),
    )


def unwatched(settings: Settings) -> tuple[str, ...]:
    """Sites that nobody visits; to be said, since silence would look like health."""
    names = {visit.name for visit in settings.visits}
    return tuple(site.name for site in settings.sites if site.name not in names)


def _probes(settings: Settings, maintenance: Maintenance | None) -> Iterator[Probe]:
    health, until = settings.health, maintenance.until if maintenance else None
    for visit in settings.visits:
        yield visit_probe(visit, certificate_days=health.certificate_days, maintenance=until)
    for path in health.php_fpm_sockets:
        yield php_fpm_probe(path, health.timeout_s)
    for unit in health.units:
        yield unit_probe(unit, health.timeout_s)
    if settings.machine.place in {"host", "all"}:
        if settings.database is not None:
            yield from database_probes(settings.database, health, settings.queues)
        yield from certificate_probes(settings.stack.root, health.certificates, settings.nginx, health.certificate_days)
    yield from disk_probes(health)
    yield from timer_probes(settings.timers, health.timeout_s)
    if settings.machine.place == "drill_host":
        yield from _silent_host(settings)


def _silent_host(settings: Settings) -> Iterator[Look]:
    """A host that died tells nobody; its drill host sees that nothing new arrives."""
    backup_h = settings.backup.fresh_h if settings.backup else 26
    kinds: tuple[tuple[str, str, timedelta, Callable[[Catalog], datetime | None]], ...] = (
        ("backups", "backups", timedelta(hours=backup_h), lambda catalog: catalog.newest().finished),
        ("logs", "binary logs", timedelta(minutes=settings.binlog.fresh_min * _LATE), _head),
    )
    for repository in settings.repositories:
        for kind, words, limit, newest in kinds:
            yield Look(
                f"host.{kind}_{repository.name.replace('-', '_')}",
                f"{words} arrive in '{repository.name}'",
                f"the newest is not older than {limit.total_seconds() / 3600:g} h",
                partial(_arrives, settings, repository.name, limit, newest),
            )


def _head(catalog: "Catalog") -> datetime | None:
    head = catalog.newest_head()
    return head.at if head else None


def _arrives(
    settings: Settings,
    repository: str,
    limit: timedelta,
    newest: Callable[["Catalog"], datetime | None],
    host: Runner,
) -> Seen:
    from opsctl.overview import wire

    at, now = newest(wire.catalog(settings, repository)), utcnow()
    hint = "look at the host: is it up, does its schedule run? there: opsctl status"
    if at is None:
        return bad("nothing ever arrived", hint)
    words = f"the newest is of {at:%Y-%m-%d %H:%M} UTC"
    return good(words) if now - limit <= at <= now + SKEW else bad(words, hint)
