"""Settings of backups: recipients, repositories, limits."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from opsctl.core.section import Section
from opsctl.stack.settings import Slug

# Passes the pattern, and no age accepts it: nobody's archives are ever encrypted for an example.
_NOBODY = f"age1{'putyourownrecipienthere':x<58}"

Recipient = Annotated[str, StringConstraints(pattern=r"^(age1[0-9a-z]{58}|ssh-(ed25519|rsa) \S+.*)$")]


class RepositorySection(Section):
    """Where archives live. The first repository is a directory on the host itself."""

    name: Slug = Field(description="Name of the repository, for commands and reports.", examples=["local"])
    kind: Literal["directory"] = Field("directory", description="How it is reached.")
    path: Path = Field(description="The directory.", examples=["/var/backups/opsctl"])
    off_host: bool = Field(False, description="Whether it survives the loss of the host (another disk does not count).")


class BackupSection(Section):
    """What a backup is encrypted for, and the limits it runs under."""

    recipients: tuple[Recipient, ...] = Field(
        description="age recipients of databases, files and binary logs. Never an identity.",
        examples=[[_NOBODY]],
        min_length=1,
    )
    keys_recipients: tuple[Recipient, ...] = Field(
        description="age recipients of the keys archive: best kept by other hands.",
        examples=[[_NOBODY]],
        min_length=1,
    )
    compression_level: int = Field(1, description="zstd level.", ge=1, le=19)
    parallel: int = Field(2, description="Threads of mariadb-backup.", ge=1, le=64)
    stall_s: float = Field(30, description="Seconds a writer may take no bytes before the backup is stopped.", gt=0)
    timeout_s: float = Field(6 * 3600, description="Seconds after which a backup is given up.", gt=0)
    fresh_h: float = Field(26, description="Hours for which a backup counts as fresh.", gt=0)


class BinlogSection(Section):
    """How binary logs are shipped."""

    timeout_s: float = Field(600, description="Seconds after which one shipment is given up.", gt=0)
    fresh_min: float = Field(20, description="Minutes for which a shipment counts as fresh.", gt=0)


class ObjectivesSection(Section):
    """What was promised to the customer; every measurement is held against it."""

    rpo_min: float = Field(15, description="Recovery point objective: minutes of data that may be lost.", gt=0)
    rto_min: float = Field(60, description="Recovery time objective: minutes until it runs again.", gt=0)
    drill_days: int = Field(42, description="Days within which a drill has to pass.", gt=0)
