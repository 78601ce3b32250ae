"""What an application has done so far, on disk before it is done, so that it can be taken back after any interruption.

`journal` in the bundle's directory has a JSON object a line, each with its time (`at`, UTC): {"began": …} comes first,
{"undo": …} before the step that it undoes, {"waits": …} where somebody has to confirm what was done, and {"outcome":
"applied" | "undone", "because": …} last. A bundle without an outcome is under way, waits, or was interrupted.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import host

NAME = "journal"


class Journal:
    """The journal of one bundle."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def entries(self) -> list[dict[str, Any]]:
        """All whole lines; one that a power cut left unfinished was never acted upon."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")
        return [json.loads(line) for line in lines[:-1] if line]

    @property
    def outcome(self) -> str | None:
        """How it ended; None for one that is under way or was interrupted."""
        end = self.end
        return None if end is None else str(end["outcome"])

    @property
    def end(self) -> dict[str, Any] | None:
        """The line that says how it ended."""
        return next((entry for entry in self.entries() if "outcome" in entry), None)

    @property
    def began(self) -> str | None:
        """When it began (UTC, ISO 8601); None for one that has not."""
        return next((str(entry.get("at", "")) for entry in self.entries()), None)

    @property
    def waits(self) -> bool:
        """Whether all of it is made and somebody has to confirm it."""
        return self.outcome is None and any("waits" in entry for entry in self.entries())

    @property
    def undos(self) -> list[dict[str, Any]]:
        """What takes back what was done, the newest first."""
        return [entry["undo"] for entry in reversed(self.entries()) if "undo" in entry]

    def note(self, entry: dict[str, Any]) -> None:
        """Write a line and its time; when this returns, it survives a power cut."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        new = not self._path.exists()
        whole = self._path.read_bytes().rfind(b"\n") + 1 if not new else 0
        with self._path.open("r+b" if not new else "wb") as file:
            file.truncate(whole)
            file.seek(whole)
            file.write(json.dumps({"at": now, **entry}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            host.sync_directory(self._path.parent)
