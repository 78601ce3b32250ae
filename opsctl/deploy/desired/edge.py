"""The edge that visitors come through: what is known of a provider, and what the inventory says instead."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from opsctl.deploy.inventory.edge import EdgeSection

USUAL_HEADER = "X-Forwarded-For"


@dataclass(frozen=True)
class Edge:
    """Who may come to the web server, and whose word on the visitor's address is taken, in which header."""

    networks: tuple[str, ...]
    header: str
    direct: tuple[str, ...]


def edge_of(section: EdgeSection | None) -> Edge | None:
    """The edge of an inventory, with what its provider publishes; None when visitors come themselves."""
    if section is None:
        return None
    networks, header = section.networks, section.header
    if section.provider is not None:
        known = files("deploy_templates").joinpath(f"edges/{section.provider}.toml").read_text(encoding="utf-8")
        told = tomllib.loads(known)
        networks, header = networks or tuple(told["networks"]), header or told["header"]
    return Edge(networks=networks, header=header or USUAL_HEADER, direct=section.direct)
