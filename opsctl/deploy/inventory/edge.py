"""The edge before the hosts: a content delivery network or a proxy through which visitors come."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from opsctl.core.section import Section
from opsctl.deploy.inventory.words import Network

Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$")]


class EdgeSection(Section):
    """Who alone may reach the hosts' ports 80 and 443, and how it says whom it brings."""

    provider: Literal["cloudflare"] | None = Field(
        None, description="One whose networks and header come with opsctl.", examples=["cloudflare"]
    )
    networks: tuple[Network, ...] = Field(
        (), description="Networks that it comes from, in place of the provider's.", examples=[["192.0.2.0/24"]]
    )
    header: Header | None = Field(
        None,
        description="The header in which it names the visitor's address: the provider's, else X-Forwarded-For.",
        examples=["X-Forwarded-For"],
    )
    direct: tuple[Network, ...] = Field(
        (), description="Networks that come in past it, such as a monitor's; their headers are not believed."
    )

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> "EdgeSection":
        if self.provider is None and not self.networks:
            raise ValueError("an edge has a provider or networks that it comes from")
        return self
