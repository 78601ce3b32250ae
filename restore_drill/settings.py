"""Settings of restores and drills."""

from pathlib import Path

from pydantic import Field

from opsctl.core.section import Section


class DrillSection(Section):
    """Where and with which identities a drill restores. Only on a drill host."""

    identity_files: tuple[Path, ...] = Field((), description="age identity files that open the data archives.")
    keys_identity_files: tuple[Path, ...] = Field((), description="age identity files that open the keys archive.")
    scratch_dir: Path = Field(
        Path("/var/tmp"),  # noqa: S108
        description="Where scratch restores live while they run; short, and with room.",
    )
    timeout_s: float = Field(6 * 3600, description="Seconds after which a drill is given up.", gt=0)
    buffer_pool_mb: int = Field(512, description="MiB of buffer pool for the scratch server.", ge=16)
