"""What an inventory uses its secrets for."""

import contextlib
from collections.abc import Container

from pydantic import SecretStr

from opsctl.core.errors import OpsError
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory


def uses_of(inventory: Inventory, kept: Container[str]) -> dict[str, list[str]]:
    """The names of secrets that are asked for, and by what: a site's file (`blog: .env`), or else a host.

    `kept` are those that there are. Raises AuthError, IntegrityError.
    """
    uses: dict[str, list[str]] = {}
    for host in inventory.hosts:
        asked = _asked(inventory, host, kept)
        for site in inventory.sites_of(host):
            for file, name in site.files.items():
                uses.setdefault(name, []).append(f"{site.name}: {file}")
                asked.discard(name)
        for name in sorted(asked):
            uses.setdefault(name, []).append(host.name)
    return uses


def _asked(inventory: Inventory, host: HostSection, kept: Container[str]) -> set[str]:
    """The secrets that a host is described with."""
    asked: set[str] = set()

    def ask(name: str) -> SecretStr:
        asked.add(name)
        return inventory.secret(name) if name in kept else SecretStr("")

    # What is made of a secret that is not there may be refused. It was asked for, and what else is asked for after it
    # is seen once it is there.
    with contextlib.suppress(OpsError):
        desired(inventory.asking(ask), host)
    return asked
