"""`opsctl doctor`: everything that has to be in place before a night's work, each looked at, each with the next thing
to type."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from backup.catalog import Catalog
from opsctl.core.probe import Probe
from opsctl.core.result import Result
from opsctl.core.runner import LocalRunner
from opsctl.core.settings import Loaded
from opsctl.overview import wire
from opsctl.overview.copying import destination
from opsctl.overview.probes.clock import clock_probes
from opsctl.overview.probes.files import password_probes, settings_probes, stack_probes
from opsctl.overview.probes.grants import grant_probes
from opsctl.overview.probes.history import ledger_probe
from opsctl.overview.probes.immutable import immutable_probes
from opsctl.overview.probes.keys import (
    identity_probes,
    match_probe,
    no_identity_probe,
    recipient_probes,
    signing_probes,
)
from opsctl.overview.probes.notify import address_probes
from opsctl.overview.probes.programs import ON_DRILL_HOST, ON_HOST, php_probe, program_probes
from opsctl.overview.probes.repository import repository_probes
from opsctl.overview.probes.sandbox import sandbox_probes
from opsctl.overview.probes.server import server_probes
from opsctl.overview.vault_wire import vault_probes
from opsctl.settings import Settings


def probes(loaded: Loaded[Settings]) -> list[Probe]:
    """The probes that this machine's place asks for, in the order in which to repair what they find."""
    settings = loaded.settings
    place = settings.machine.place
    found: dict[str, Probe] = {}
    for probe in _all(loaded, makes=place in {"host", "all"}, drills=place in {"drill_host", "all"}):
        found.setdefault(probe.id, probe)
    return list(found.values())


def _all(loaded: Loaded[Settings], *, makes: bool, drills: bool) -> Iterator[Probe]:
    settings = loaded.settings
    first = wire.catalog(settings) if settings.repositories else None
    yield from settings_probes(loaded.path, settings.machine)
    yield from clock_probes(wire.ledger(settings), first)
    yield ledger_probe(wire.ledger(settings))
    yield from signing_probes(settings.trust)
    yield from address_probes(settings.notify, settings.channels)
    if makes:
        yield from program_probes(ON_HOST)
        yield from _of_host(settings, loaded.path.parent)
    if drills:
        yield from program_probes(ON_DRILL_HOST)
        yield php_probe()
        yield from _of_drill_host(settings, first)
    for place in wire.places(settings):
        yield from repository_probes(place.name, place.catalog, writes=makes)
    if makes and settings.repositories:
        stack, ledger, alone = settings.stack.name, wire.ledger(settings), settings.machine.place == "host"
        for repository in settings.repositories[1:]:
            yield from immutable_probes(destination(repository), stack, ledger, alone=alone)


def _of_host(settings: Settings, directory: Path) -> Iterator[Probe]:
    backup = settings.require_backup()
    yield from recipient_probes(backup.recipients, backup.keys_recipients)
    if settings.machine.place == "host":
        drill = settings.drill
        named = () if drill is None else (*drill.identity_files, *drill.keys_identity_files)
        yield no_identity_probe([directory, settings.machine.state_dir], named)
    database = settings.require_database()
    yield from password_probes(database)
    yield from server_probes(database)
    yield from grant_probes(database)
    yield from stack_probes(settings.stack.root, settings.sites, settings.nginx)
    yield from vault_probes(settings)


def _of_drill_host(settings: Settings, catalog: Catalog | None) -> Iterator[Probe]:
    drill = settings.require_drill()
    yield from identity_probes(drill.identity_files, drill.keys_identity_files)
    if catalog is not None:
        yield match_probe(drill.identity_files, drill.keys_identity_files, catalog)
    yield from sandbox_probes(drill, catalog)


def examine(wanted: Sequence[Probe]) -> list[Result]:
    """Run the probes on this machine, one after the other."""
    host = LocalRunner()
    return [probe.run(host) for probe in wanted]
