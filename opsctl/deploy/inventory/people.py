"""Whose stack it is, whom to write to, who comes in."""

from pydantic import Field

from opsctl.core.section import Section
from opsctl.deploy.inventory.words import Network, PublicKey, SiteName
from opsctl.stack.settings import Slug


class OwnerSection(Section):
    """Whose stack it is and where its data may be."""

    name: Slug = Field(description="Name of the stack.", examples=["acme"])
    region: str = Field(description="Where the hosts are.", examples=["de-fsn1"])
    residency: str = Field(description="Where the data may be.", examples=["EU"])


class ContactsSection(Section):
    """Whom to write to."""

    security: str = Field(
        description="Where vulnerabilities are reported: security.txt names it.",
        examples=["mailto:security@acme.example"],
        pattern=r"^(mailto:|https://)\S+$",
    )
    security_expires: str = Field(
        description="When the security.txt ends (RFC 9116 asks for at most a year).",
        examples=["2027-06-30T00:00:00Z"],
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$",
    )


class AccessSection(Section):
    """Who comes in, and from where."""

    user: SiteName = Field("ops", description="The one account that people and deployments use.")
    keys: tuple[PublicKey, ...] = Field(
        description="Public keys that open it.", examples=[["ssh-ed25519 AAAAC3Nza… operator"]], min_length=1
    )
    ssh_from: tuple[Network, ...] = Field(
        (), description="Networks that may reach SSH; everybody when there are none.", examples=[["198.51.100.0/24"]]
    )
