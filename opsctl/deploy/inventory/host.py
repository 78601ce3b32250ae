"""One VPS."""

from pathlib import Path

from pydantic import Field

from opsctl.core.section import Section
from opsctl.deploy.inventory.words import PublicKey
from opsctl.stack.settings import Slug


class HostSection(Section):
    """One VPS."""

    name: Slug = Field(description="Name of the host.", examples=["web1"])
    address: str = Field(description="Where SSH reaches it.", examples=["203.0.113.5"], min_length=1)
    port: int = Field(22, description="Its SSH port.", ge=1, le=65535)
    host_key: PublicKey = Field(
        description="Its public key; no other is believed.", examples=["ssh-ed25519 AAAAC3Nza…"]
    )
    key_file: Path = Field(description="The private key that opens the account.", examples=["/etc/opsctl/ops_key"])
    timeout_s: float = Field(30, description="Seconds that it may take to answer.", gt=0)
    region: str | None = Field(
        None, description="Where it is, if not where the stack is.", examples=["fi-hel1"], min_length=1
    )
