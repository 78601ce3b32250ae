"""Lets this host's own ledger know of what has ended here: who, from where, which plan, what came of it.

The ledger is opsctl's, which a host may not have yet, or no longer. What could not be told is told after the next
change: it stays in the journals until then.
"""

from pathlib import Path

from . import host

OPSCTL = Path("/usr/local/bin/opsctl")
SETTINGS = Path("/etc/opsctl/opsctl.toml")
TIMEOUT_S = 60


def tell() -> str | None:
    """Let opsctl adopt what has ended; None, or why it did not. A change is never undone for that."""
    if not OPSCTL.exists() or not SETTINGS.exists():
        return None
    try:
        host.run(str(OPSCTL), "deploy", "adopt", "--quiet", timeout_s=TIMEOUT_S)
    except (host.AgentError, OSError) as error:
        return str(error)
    return None
