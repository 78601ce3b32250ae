"""Maintenance as this machine knows it: one file in the state directory, true until a time it names."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from opsctl.core.errors import OpsError

DIRECTORY = "maintenance"
STATE_FILE = "state.json"


class Maintenance(BaseModel):
    """Maintenance: why, from when until when (UTC), and who is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    reason: str
    since: datetime
    until: datetime
    allow: tuple[str, ...]


def state_file(state_dir: Path) -> Path:
    """Where it is written down."""
    return state_dir / DIRECTORY / STATE_FILE


def current(state_dir: Path, at: datetime) -> Maintenance | None:
    """The maintenance that there is at a moment (UTC); None when there is none, or it is over. Raises OpsError."""
    path = state_file(state_dir)
    try:
        found = Maintenance.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OpsError(
            "whether there is maintenance cannot be read", where=str(path), hint="end it: opsctl maintenance off"
        ) from error
    return found if at < found.until else None
