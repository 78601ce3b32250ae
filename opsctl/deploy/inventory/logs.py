"""Where hosts send their logs, so that whoever takes one over cannot unsay what happened on it."""

import ipaddress

from pydantic import Field

from opsctl.core.section import Section
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.words import Network
from opsctl.stack.settings import Slug

PORT = 6514


class LogsSection(Section):
    """Which host keeps the logs of all, and for how long."""

    host: Slug = Field(description="The host that keeps them, in the region of the stack.", examples=["logs1"])
    days: int = Field(description="Days after which they are deleted.", ge=1, le=3660, examples=[180])
    address: str | None = Field(
        None, description="Where the others reach it; by default where SSH does.", examples=["10.0.0.5"], min_length=1
    )
    networks: tuple[Network, ...] = Field(
        (), description="Where they come from; by default their addresses.", examples=[["10.0.0.0/24"]]
    )
    queue_mb: int = Field(
        1024, description="Megabytes that a host keeps while the one that takes its logs is away.", ge=1
    )


def sources(section: LogsSection, hosts: tuple[HostSection, ...]) -> tuple[str, ...]:
    """The networks from which logs come. Raises ValueError for hosts that are known by name only."""
    if section.networks:
        return section.networks
    others = [host.address for host in hosts if host.name != section.host]
    for address in others:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError(f"'{address}' is no address: say in networks of [logs] where logs come from") from None
    return tuple(others)
