"""What is being described: one host of an inventory, with the sites that lie on it."""

from dataclasses import dataclass
from typing import Any, Literal

from opsctl.deploy.desired.edge import edge_of
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.inventory.site import SitePlan

Feature = Literal["certificates", "logs", "log-keeper", "opsctl", "private-authority", "time-servers"]
"""What a host can have besides; a file of the table may be there `when` it has one."""


@dataclass(frozen=True)
class Subject:
    """One host of an inventory."""

    inventory: Inventory
    host: HostSection

    @property
    def sites(self) -> tuple[SitePlan, ...]:
        """The sites on the host."""
        return self.inventory.sites_of(self.host)

    @property
    def php(self) -> bool:
        """Whether any of them needs PHP."""
        return any(site.php for site in self.sites)

    @property
    def features(self) -> frozenset[Feature]:
        """What the host has besides what every host has."""
        authority = self.inventory.certificates
        logs = self.inventory.logs
        has: dict[Feature, bool] = {
            "logs": logs is not None,
            "log-keeper": logs is not None and logs.host == self.host.name,
            "certificates": authority is not None,
            "opsctl": self.inventory.opsctl is not None,
            "private-authority": authority is not None and authority.trust is not None,
            "time-servers": bool(self.inventory.time.servers),
        }
        return frozenset(name for name, there in has.items() if there)

    def secret(self, name: str) -> str:
        """A secret of the inventory; where it goes has to be a `secret` file. Raises SettingsError, AuthError."""
        return self.inventory.secret(name).get_secret_value()

    def facts(self) -> dict[str, Any]:
        """What templates may name."""
        return {
            "stack": self.inventory.stack,
            "contacts": self.inventory.contacts,
            "access": self.inventory.access,
            "host": self.host,
            "sites": self.sites,
            "time": self.inventory.time,
            "edge": edge_of(self.inventory.edge),
            "certificates": self.inventory.certificates,
        }
