"""What a restore or drill works with; the command line puts it together."""

from dataclasses import dataclass

from backup.catalog import Catalog
from backup.settings import ObjectivesSection
from opsctl.core.ledger import Ledger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Progress
from opsctl.core.signing import Signer, Verifier
from opsctl.core.store import Store
from restore_drill.settings import DrillSection


@dataclass(frozen=True)
class DrillHost:
    """The drill host's settings, a repository and its name, its keys, its ledger.

    `replay_server_id`: the scratch server's id while it replays; None, as always but in a self-test, chooses one that
    occurs nowhere in the binary logs.
    """

    stack: str
    drill: DrillSection
    objectives: ObjectivesSection
    machine: MachineSection
    trust: TrustSection
    repository: str
    store: Store
    off_host: bool
    ledger: Ledger
    progress: Progress
    replay_server_id: int | None = None

    @property
    def signer(self) -> Signer:
        """Signs drill results as this machine."""
        return Signer(self.trust.signing_key)

    @property
    def catalog(self) -> Catalog:
        """The repository's content, verified by this machine's allowed signers."""
        return Catalog(self.store, self.stack, Verifier(self.trust.allowed_signers))
