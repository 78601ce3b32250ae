"""Ends what keeps others from changing this host: the application that holds the lock, the change that waits.

What either has done is taken back: nothing stays half-done, and nothing stays that nobody has confirmed.
"""

from typing import Any

from . import guard, host
from .apply import recover, take_back
from .journal import Journal
from .lock import HOME, LockedError, holder, locked

OURS = ("opsctl-deploy-", f"{guard.NAME}.")
STOP_TIMEOUT_S = 150
WAIT_S = 10


def unlock(who: dict[str, Any]) -> dict[str, Any]:
    """Say what was stopped and which applications were taken back. Raises LockedError for a holder that is no unit."""
    stopped = _stop()
    taken = []
    with locked(who, wait_s=WAIT_S):
        for name in dict.fromkeys(name for name in (guard.armed_for(), stopped and stopped.get("plan")) if name):
            journal = Journal(HOME / name)
            if journal.entries() and journal.outcome is None:
                take_back(HOME / name, journal, because="unlocked", said=str(who.get("who", "")))
                taken.append(name)
        return {"stopped": stopped, "taken_back": taken, "recovered": recover()}


def _stop() -> dict[str, Any] | None:
    """Stop the unit that holds the lock, as whoever has to wait has no other way to it."""
    found = holder()
    if found is None:
        return None
    if not str(found["unit"]).startswith(OURS):
        raise LockedError({**found, "foreign": True})
    host.run("systemctl", "stop", found["unit"], timeout_s=STOP_TIMEOUT_S)
    return found
