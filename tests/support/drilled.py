"""A demo customer with a repository: backed up, shipped, and a drill host with the identities beside it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyrage

from backup.binlog.ship import ship
from backup.context import Host
from backup.manifest import Manifest
from backup.run import run_backup
from backup.settings import BackupSection, BinlogSection, ObjectivesSection
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Silent
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.core.store.directory import DirectoryStore
from opsctl.overview.demo.settings import stack_values
from opsctl.overview.demo.stack import DemoStack
from opsctl.stack.settings import DatabaseSection, NginxSection, SiteSection, StackSection
from restore_drill.context import DrillHost
from restore_drill.settings import DrillSection

HOST_SIGNER = "host@demo"
DRILL_SIGNER = "drill@demo"


@dataclass
class Customer:
    """The stack, the host's side of opsctl, and the drill host's."""

    stack: DemoStack
    host: Host
    drill_host: DrillHost

    @property
    def repository(self) -> Path:
        """The repository's directory."""
        store = self.drill_host.store
        assert isinstance(store, DirectoryStore)
        return store.directory

    def backup(self) -> Manifest:
        """Take a full backup."""
        return run_backup(self.host)

    def ship(self) -> None:
        """Ship binary logs."""
        ship(self.host)

    def vanish(self) -> None:
        """Shut the database down and move the whole host out of reach: a drill must not miss it."""
        self.stack.stop()
        self.stack.root.rename(self.stack.root.with_name("gone"))

    def in_repository(self, directory: Path) -> "Customer":
        """The same drill host, working with a copy of the repository."""
        drill_host = replace(
            self.drill_host,
            store=DirectoryStore(directory / "repository"),
            machine=self.drill_host.machine.model_copy(update={"state_dir": directory / "state"}),
            ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        )
        return Customer(self.stack, self.host, drill_host)


def make_customer(stack: DemoStack, directory: Path) -> Customer:
    """Give a running demo stack keys, identities, a repository and a drill host, all below `directory`."""
    for name in ("state", "drill-state", "scratch", "repository"):
        (directory / name).mkdir(parents=True)
    (directory / "scratch").chmod(0o711)
    for name, signer in (("host", HOST_SIGNER), ("drill", DRILL_SIGNER)):
        create_key(directory / f"{name}_key", signer)
    allowed = directory / "allowed_signers"
    allowed.write_text(
        allowed_signers_line(HOST_SIGNER, directory / "host_key.pub")
        + allowed_signers_line(DRILL_SIGNER, directory / "drill_key.pub")
    )
    recipients = {name: _identity(directory / f"{name}.identity") for name in ("data", "keys")}
    return Customer(stack, _host(stack, directory, recipients), _drill_host(directory))


def _host(stack: DemoStack, directory: Path, recipients: dict[str, str]) -> Host:
    values: dict[str, Any] = stack_values(stack.layout)
    settings = directory / "opsctl.toml"
    settings.write_text('[stack]\nname = "demo"\n')
    return Host(
        stack=StackSection.model_validate(values["stack"]),
        database=DatabaseSection.model_validate(values["database"]),
        sites=tuple(SiteSection.model_validate(site) for site in values["sites"]),
        nginx=NginxSection.model_validate(values["nginx"]),
        backup=BackupSection(recipients=(recipients["data"],), keys_recipients=(recipients["keys"],)),
        binlog=BinlogSection(),
        objectives=ObjectivesSection(),
        machine=MachineSection(place="host", state_dir=directory / "state", lock_dir=directory / "locks"),
        trust=_trust(directory, "host", HOST_SIGNER),
        repository=directory / "repository",
        store=DirectoryStore(directory / "repository"),
        ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        progress=Silent(),
        settings_files=(settings,),
    )


def _drill_host(directory: Path) -> DrillHost:
    return DrillHost(
        stack="demo",
        drill=DrillSection(
            identity_files=(directory / "data.identity",),
            keys_identity_files=(directory / "keys.identity",),
            scratch_dir=directory / "scratch",
            buffer_pool_mb=64,
        ),
        objectives=ObjectivesSection(),
        machine=MachineSection(
            place="drill_host", state_dir=directory / "drill-state", lock_dir=directory / "drill-locks"
        ),
        trust=_trust(directory, "drill", DRILL_SIGNER),
        repository="local",
        store=DirectoryStore(directory / "repository"),
        off_host=False,
        ledger=SqliteLedger(directory / "drill-state" / "ledger.sqlite"),
        progress=Silent(),
    )


def _trust(directory: Path, name: str, signer: str) -> TrustSection:
    return TrustSection(
        signer=signer, signing_key=directory / f"{name}_key", allowed_signers=directory / "allowed_signers"
    )


def _identity(file: Path) -> str:
    identity = pyrage.x25519.Identity.generate()
    file.write_text(f"{identity}\n")
    file.chmod(0o600)
    return str(identity.to_public())
