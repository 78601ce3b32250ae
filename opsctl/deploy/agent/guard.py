"""Changes that could lock everybody out are kept only when somebody gets in afterwards.

Before the first of them a timer is armed that takes the whole application back. It is a unit on disk, so that it also
fires after a reboot; a confirmation over a fresh connection disarms it.
"""

import json
import time
from pathlib import Path

from . import host

NAME = "opsctl-revert"
UNITS = Path("/etc/systemd/system")
REVERT_TIMEOUT_S = 600

_SERVICE = """[Unit]
Description=Take back a change to this host that nobody has confirmed

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 {agent} revert {id}
TimeoutStartSec={timeout}
"""
_TIMER = """[Unit]
Description=Wait for somebody to confirm a change to this host

[Timer]
# After a reboot as well: being active begins anew. OnBootSec would fire at once on a host that is up for longer.
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def arm(directory: Path, seconds: int) -> None:
    """Let the bundle in `directory` be taken back after so many seconds, or as many after a reboot."""
    agent = directory / "agent.pyz"
    service = _SERVICE.format(agent=agent, id=directory.name, timeout=REVERT_TIMEOUT_S)
    for suffix, text in ((".service", service), (".timer", _TIMER.format(seconds=seconds))):
        host.write(UNITS / f"{NAME}{suffix}", text.encode(), mode=0o644, owner="root", group="root")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "enable", f"{NAME}.timer")
    host.run("systemctl", "restart", f"{NAME}.timer")


def armed_for() -> str | None:
    """The id of the bundle that waits for a confirmation."""
    service = UNITS / f"{NAME}.service"
    if not service.exists():
        return None
    line = next(line for line in service.read_text().splitlines() if line.startswith("ExecStart="))
    return line.split()[-1]


def remaining() -> int | None:
    """Seconds until the timer fires; None when it has, or there is none."""
    said = host.run("systemctl", "list-timers", "--all", "--output=json", f"{NAME}.timer")
    after = next((row["next"] for row in json.loads(said or "[]")), None)
    return max(0, round(after / 1e6 - time.time())) if after else None


def disarm() -> None:
    """Keep what was changed, or finish taking it back."""
    host.run("systemctl", "disable", "--now", f"{NAME}.timer", check=False)
    for suffix in (".timer", ".service"):
        (UNITS / f"{NAME}{suffix}").unlink(missing_ok=True)
    host.sync_directory(UNITS)
    host.run("systemctl", "daemon-reload")
