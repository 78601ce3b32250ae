"""Settings of this machine, and of the keys it signs with and believes."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from opsctl.core.section import Section


class MachineSection(Section):
    """This machine's part in the work."""

    place: Literal["host", "drill_host", "operator", "all"] = Field(
        "host", description="host: makes backups; drill_host: holds identities; operator: deploys; all: a demo."
    )
    state_dir: Path = Field(Path("/var/lib/opsctl"), description="Where the ledger and what is remembered lie.")
    lock_dir: Path = Field(Path("/run/opsctl"), description="Where locks lie.")


class TrustSection(Section):
    """Keys that sign and keys that are believed."""

    signer: str = Field(description="Name under which this machine signs.", examples=["host@acme"])
    signing_key: Path = Field(
        Path("/etc/opsctl/signing_key"), description="This machine's Ed25519 key in OpenSSH form, mode 0600."
    )
    allowed_signers: Path = Field(
        Path("/etc/opsctl/allowed_signers"), description="OpenSSH allowed_signers file: whose signatures count here."
    )
