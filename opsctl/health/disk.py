"""Room and inodes of file systems, as df(1) sees them for an ordinary user."""

from functools import partial
from pathlib import Path

from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.health.names import check_id
from opsctl.health.settings import HealthSection

_MB = 1_000_000


def disk_probes(settings: HealthSection) -> list[Look]:
    """Two for each directory: room, and inodes."""
    found = []
    for path in settings.disks:
        room, inodes = settings.min_free_percent, settings.min_free_inodes_percent
        found += [
            Look(
                check_id("disk", str(path)),
                f"there is room at {path}",
                f"{room:g}% are free",
                partial(_room, path, room, settings.timeout_s),
            ),
            Look(
                check_id("inodes", str(path)),
                f"there are inodes at {path}",
                f"{inodes:g}% are free",
                partial(_inodes, path, inodes, settings.timeout_s),
            ),
        ]
    return found


def _room(path: Path, wanted: float, timeout_s: float, host: Runner) -> Seen:
    numbers = _df(host, path, "used,avail", timeout_s)
    if numbers is None:
        return unknown(f"df cannot look at {path}", f"df {path}")
    used, free = numbers
    percent = 100 * free / max(used + free, 1)
    found = f"{percent:.1f}% free, {free / _MB:,.0f} MB"
    figures = {"free_bytes": free, "free_percent": round(percent, 2)}
    if percent < wanted:
        return bad(found, f"see what takes it: du -xh --max-depth=2 {path} | sort -h | tail -n 20", **figures)
    return good(found, **figures)


def _inodes(path: Path, wanted: float, timeout_s: float, host: Runner) -> Seen:
    numbers = _df(host, path, "itotal,iavail", timeout_s)
    if numbers is None:
        return unknown(f"df cannot look at {path}", f"df -i {path}")
    total, free = numbers
    if total == 0:
        return good("the file system has no fixed number of them")
    percent = 100 * free / total
    found = f"{percent:.1f}% free, {free:,}"
    figures = {"free_inodes": free, "free_inodes_percent": round(percent, 2)}
    if percent < wanted:
        return bad(found, f"see what takes them: du --inodes -x --max-depth=2 {path} | sort -n | tail -n 20", **figures)
    return good(found, **figures)


def _df(host: Runner, path: Path, columns: str, timeout_s: float) -> tuple[int, int] | None:
    """Two columns of df, in bytes or inodes; None when it cannot look. A dash is a zero."""
    done = host.run(command("df", "--block-size=1", f"--output={columns}", "--", path), timeout_s=timeout_s)
    words = done.text().splitlines()[-1].split() if done.ok and done.text() else []
    if len(words) != 2:
        return None
    first, second = (0 if word == "-" else int(word) for word in words)
    return first, second
