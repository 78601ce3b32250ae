"""What a look at health works with."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsctl.core.ledger import Ledger
from opsctl.core.machine import MachineSection
from opsctl.core.probe import Probe
from opsctl.core.runner import Runner
from opsctl.health.settings import HealthSection, RecoverySection
from opsctl.health.state import Maintenance


@dataclass(frozen=True)
class Patient:
    """A machine, what is looked at there, and what may be done about it."""

    stack: str
    machine: MachineSection
    health: HealthSection
    probes: Sequence[Probe]
    recoveries: Sequence[RecoverySection]
    maintenance: Maintenance | None
    ledger: Ledger
    runner: Runner
