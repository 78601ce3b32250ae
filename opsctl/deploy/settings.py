"""Settings of deployments: what the operator's machine has for them."""

from pathlib import Path

from pydantic import Field

from opsctl.core.section import Section


class DeploySection(Section):
    """What deployments take from the operator's machine. Only there."""

    identity_files: tuple[Path, ...] = Field(
        (), description="age identity files that open the secrets beside inventories (docs/deploy.md)."
    )
