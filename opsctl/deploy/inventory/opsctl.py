"""opsctl itself on the hosts, and where their backups go.

What only opsctl on the host understands is passed through to its settings as it stands; it judges them there, before
anything is changed.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from opsctl.core.section import Section
from opsctl.deploy.inventory.words import AgeRecipient
from opsctl.stack.settings import Slug


class OpsctlSection(Section):
    """opsctl itself on each host: from wheels that are carried over, nothing is downloaded there."""

    wheels: Path = Field(
        description="Directory of this machine with opsctl's wheel, those of what it needs, and requirements.lock.",
        examples=["stacks/wheels"],
    )
    settings: dict[str, Any] = Field(
        {},
        description="What else /etc/opsctl/opsctl.toml says, as it stands there; it goes before the rest.",
        examples=[{"objectives": {"rpo_min": 30}}],
    )


class RecipientsSection(Section):
    """Whose identities open the backups. The identities themselves are never on a host."""

    data: tuple[AgeRecipient, ...] = Field(
        description="age recipients of databases, files and binary logs.", examples=[["age1…"]], min_length=1
    )
    keys: tuple[AgeRecipient, ...] = Field(
        description="age recipients of the keys archive: best kept by other hands.", examples=[["age1…"]], min_length=1
    )


class RepositoryPlan(Section):
    """A repository off the hosts, as a [[repositories]] table of opsctl.toml: docs/repositories.md.

    What it is opened with comes from a secret beside the inventory; without one, a host makes its own key for an SFTP
    server, which has to let it in.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Slug = Field(description="Name of the repository, the same on all machines.", examples=["offsite"])
    kind: Literal["sftp", "s3"] = Field(description="How it is reached.")
    secret: Slug | None = Field(
        None,
        description="Secret beside the inventory with the SFTP account's private key, or the S3 credentials file.",
        examples=["offsite-key"],
    )

    @model_validator(mode="after")
    def _can_be_opened(self) -> "RepositoryPlan":
        if given := {"key_file", "credentials_file"} & set(self.model_extra or {}):
            raise ValueError(f"{', '.join(given)} is for opsctl on the host: name a secret beside the inventory")
        if self.kind == "s3" and self.secret is None:
            raise ValueError("an S3 service needs credentials: name a secret beside the inventory")
        return self

    @property
    def credentials(self) -> str:
        """Where on the host lies what opens it."""
        return f"/etc/opsctl/{self.name}_key" if self.kind == "sftp" else f"/etc/opsctl/{self.name}.credentials"

    def table(self) -> dict[str, Any]:
        """The table as it stands in opsctl.toml on the host."""
        name = "key_file" if self.kind == "sftp" else "credentials_file"
        return self.model_dump(exclude={"secret"}) | {name: self.credentials}
