"""What deployments have done to this host and what stands in the way of the next one; it changes nothing."""

import json
from pathlib import Path
from typing import Any

from . import guard
from .apply import bundles
from .forget import BUNDLE
from .journal import Journal
from .lock import HOME, holder

SHOWN = 5


def status() -> dict[str, Any]:
    """Who holds the lock, the change that waits for a confirmation, and the last applications, the newest first."""
    found, armed = holder(), guard.armed_for()
    recent = [_application(each, found, armed) for each in reversed(bundles()[-SHOWN:])]
    return {"lock": found, "waiting": _waiting(armed), "applications": recent}


def ended() -> list[dict[str, Any]]:
    """Every application that has ended and is still kept, the oldest first."""
    return [_application(each, None, None) for each in bundles() if Journal(each).outcome is not None]


def _application(directory: Path, found: dict[str, Any] | None, armed: str | None) -> dict[str, Any]:
    """One application: whose it is, when it began and ended (UTC), what came of it and why."""
    bundle, journal = json.loads((directory / BUNDLE).read_text()), Journal(directory)
    end = journal.end or {}
    if found is not None and found.get("plan") == directory.name and not end:
        state = "running"
    elif armed == directory.name and any("waits" in entry for entry in journal.entries()):
        state = "waiting"
    else:
        state = str(end.get("outcome", "interrupted"))
    return {
        **bundle["about"],
        "id": directory.name,
        "who": bundle["who"],
        "began": journal.began,
        "ended": end.get("at"),
        "state": state,
        "because": end.get("because"),
        "said": end.get("said"),
        "missed": [what for entry in journal.entries() for what in entry.get("missed", ())],
    }


def _waiting(armed: str | None) -> dict[str, Any] | None:
    """The bundle that is taken back by the timer, and in how many seconds; None when that is not known."""
    if armed is None or not (HOME / armed / BUNDLE).exists():
        return None
    return {"id": armed, "seconds": guard.remaining()}
