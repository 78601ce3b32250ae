"""What is being described: one host of an inventory, with the sites that lie on it."""

from dataclasses import dataclass
from typing import Any

from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.inventory.site import SitePlan


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

    def facts(self) -> dict[str, Any]:
        """What templates may name."""
        return {
            "stack": self.inventory.stack,
            "contacts": self.inventory.contacts,
            "access": self.inventory.access,
            "host": self.host,
            "sites": self.sites,
        }
