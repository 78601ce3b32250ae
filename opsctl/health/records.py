"""Bodies of the ledger's records about health. Times are UTC."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.core.result import Outcome

HEALTH = "health"
RECOVERY = "recovery"
MAINTENANCE = "maintenance"
AVAILABILITY = "availability"
VERSION = 1


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Body):
    """A check that did not pass."""

    id: str
    outcome: Outcome
    found: str


class HealthBody(_Body):
    """One look: how many checks passed, all that did not, and until when there was maintenance."""

    passed: int
    findings: tuple[Finding, ...]
    maintenance_until: datetime | None


class RecoveryBody(_Body):
    """What was done about a check that failed.

    `restarted`: the unit was; the record's outcome says whether the check passed then. `gave_up`: it had been restarted
    as often as the settings allow within the hour (`restarts`), and a person was called.
    """

    check: str
    unit: str
    action: Literal["restarted", "gave_up"]
    restarts: int
    before: str
    after: str


class MaintenanceBody(_Body):
    """Maintenance began (`on`), or was ended early (`off`); by itself it ends at `until`."""

    action: Literal["on", "off"]
    reason: str
    since: datetime
    until: datetime
    allow: tuple[str, ...]


class Outage(_Body):
    """A time for which an address did not answer as it should: the samples' first and last such, and why first."""

    since: datetime
    until: datetime
    samples: int
    why: str


class AvailabilityBody(_Body):
    """How an address answered from where the watch ran.

    `unknown` samples, when the watching machine itself had no way out, are not in `availability`, the share of good
    ones; None when there is none. `outages` has at most the first hundred.
    """

    url: str
    samples: int
    good: int
    unknown: int
    availability: float | None
    slowest_s: float
    outages: tuple[Outage, ...]
