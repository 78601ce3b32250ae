"""What a job on the host works with; the command line puts it together."""

from dataclasses import dataclass
from pathlib import Path

from backup.catalog import Catalog
from backup.settings import BackupSection, BinlogSection, ObjectivesSection
from opsctl.core.ledger import Ledger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Progress
from opsctl.core.signing import Signer, Verifier
from opsctl.core.store import Store
from opsctl.stack.settings import DatabaseSection, NginxSection, SiteSection, StackSection


@dataclass(frozen=True)
class Host:
    """The host's settings, its own repository, its keys, its ledger.

    `repository` is the directory that `store` keeps its objects in. `settings_files` are the files the settings came
    from; they go into the state archive.
    """

    stack: StackSection
    database: DatabaseSection
    sites: tuple[SiteSection, ...]
    nginx: NginxSection
    backup: BackupSection
    binlog: BinlogSection
    objectives: ObjectivesSection
    machine: MachineSection
    trust: TrustSection
    repository: Path
    store: Store
    ledger: Ledger
    progress: Progress
    settings_files: tuple[Path, ...]

    @property
    def signer(self) -> Signer:
        """Signs as this machine."""
        return Signer(self.trust.signing_key)

    @property
    def verifier(self) -> Verifier:
        """Believes this machine's allowed signers."""
        return Verifier(self.trust.allowed_signers)

    @property
    def catalog(self) -> Catalog:
        """The local repository's content."""
        return Catalog(self.store, self.stack.name, self.verifier)
