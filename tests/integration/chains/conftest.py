"""A machine of its own for each test, whose server is shared or its own; backups and restores run in this process."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from backup.binlog.ship import ship
from backup.continuation import Kind
from backup.manifest import Manifest
from backup.run import run_backup
from opsctl.core.progress import Silent
from opsctl.core.settings import Loaded
from opsctl.overview import wire
from opsctl.settings import Settings, load_settings
from restore_drill.context import DrillHost
from restore_drill.restore import restore
from tests.integration.kills.machine import LOGGING, Machine, make_machine
from tests.support.mariadb import Server, running_server


@dataclass(frozen=True)
class Small:
    """A small customer's machine: host and drill host in one."""

    machine: Machine

    @property
    def directory(self) -> Path:
        return self.machine.directory

    @property
    def server(self) -> Server:
        return self.machine.server

    @property
    def site(self) -> Path:
        """The site's files, as they lie on this machine."""
        return self.directory / "root/srv/site"

    @property
    def loaded(self) -> Loaded[Settings]:
        return load_settings(self.machine.config)

    @property
    def drill_host(self) -> DrillHost:
        return wire.drill_host(self.loaded.settings, Silent())

    def backup(self, kind: Kind | None = None) -> Manifest:
        return run_backup(wire.host(self.loaded, Silent()), kind=kind)

    def ship(self) -> None:
        ship(wire.host(self.loaded, Silent()))

    def restore(self, backup_id: str | None = None, at: datetime | None = None) -> Path:
        """Restore into a new directory and return it."""
        to = self.directory / f"restored-{sum(1 for _ in self.directory.glob('restored-*'))}"
        restore(self.drill_host, to, backup_id=backup_id, at=at)
        return to


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short one that the sandbox's user may pass."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="package")
def shared_server() -> Iterator[Server]:
    with running_server(LOGGING, encrypted=True) as running:
        yield running


@pytest.fixture
def small(directory: Path, shared_server: Server) -> Small:
    """On a server that tests leave as it is, but for its tables."""
    return Small(make_machine(directory / "m", shared_server))


@pytest.fixture
def apart(directory: Path) -> Iterator[Small]:
    """On a server of its own."""
    with running_server(LOGGING) as running:
        yield Small(make_machine(directory / "m", running))
