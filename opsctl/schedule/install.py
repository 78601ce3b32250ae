"""Puts the schedule into place: what has to change, shown as a difference, and the change itself.

Only files that begin with our mark are ever replaced or removed.
"""

import difflib
import pwd
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opsctl.core.durable import unwritable
from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.process import command, run
from opsctl.schedule import cron, units
from opsctl.schedule.machine import Machine, Planned
from opsctl.schedule.standing import note_scheduled

Means = Literal["systemd", "cron"]
_SYSTEMD_RUNS = Path("/run/systemd/system")
_TIMEOUT_S = 120.0
_MODE = 0o644


@dataclass(frozen=True)
class Change:
    """One file that is not as it should be: what stands in it and what should; None for a file that is not there."""

    path: Path
    before: str | None
    after: str | None

    @property
    def diff(self) -> tuple[str, ...]:
        """The difference in the unified format, without line ends."""
        old, new = (self.before or "").splitlines(), (self.after or "").splitlines()
        names = (
            "/dev/null" if self.before is None else str(self.path),
            "/dev/null" if self.after is None else str(self.path),
        )
        return tuple(difflib.unified_diff(old, new, *names, lineterm=""))


def means_here() -> Means:
    """What starts jobs on this machine. Raises SettingsError when there is neither."""
    if _SYSTEMD_RUNS.is_dir():
        return "systemd"
    if cron.CRONTAB.parent.is_dir():
        return "cron"
    raise SettingsError(
        "this machine has neither systemd nor cron", hint="run, and keep running: opsctl schedule serve"
    )


def changes(plan: Sequence[Planned], machine: Machine, means: Means) -> tuple[Change, ...]:
    """Every file that has to change; none when all is in place. Raises SettingsError, OpsError."""
    enabled = [each for each in plan if each.enabled]
    for name in sorted({each.user for each in enabled}):
        _require_user(name)
    wanted: dict[Path, str] = {}
    if means == "systemd":
        wanted = {units.DIRECTORY / name: text for name, text in units.units(enabled, machine).items()}
    elif enabled:
        wanted = {cron.CRONTAB: cron.crontab(enabled, machine, in_utc=_in_utc())}
    found = {path: _read(path) for path in {*wanted, *_ours()}}
    return tuple(
        Change(path, found[path], wanted.get(path)) for path in sorted(found) if found[path] != wanted.get(path)
    )


def install(plan: Sequence[Planned], machine: Machine, wanted: Sequence[Change], means: Means) -> None:
    """Make the changes, and have systemd act on them; timers that are not active are started. Raises OpsError.

    Directories that jobs write in are made: what is not there when a service starts, stays closed to it.
    """
    for each in plan:
        for path in units.writable(each, machine) if each.enabled else ():
            _make_directory(path, each.user)
    gone = [change.path.name for change in wanted if change.after is None and change.path.suffix == ".timer"]
    if gone:
        run(command("systemctl", "disable", "--now", *gone), timeout_s=_TIMEOUT_S)
    for change in wanted:
        _put(change)
    note_scheduled(machine, plan)
    if not _SYSTEMD_RUNS.is_dir():
        return
    if any(change.path.parent == units.DIRECTORY for change in wanted):
        run(command("systemctl", "daemon-reload"), timeout_s=_TIMEOUT_S)
    if means == "systemd":
        _start([each for each in plan if each.enabled], {change.path.name for change in wanted})


def _start(plan: Sequence[Planned], changed: set[str]) -> None:
    """A timer reads its calendar when it starts."""
    timers = [f"{units.unit_name(each.job.name)}.timer" for each in plan]
    if not timers:
        return
    run(command("systemctl", "enable", "--quiet", *timers), timeout_s=_TIMEOUT_S)
    again = [name for name in timers if name in changed]
    if again:
        run(command("systemctl", "restart", *again), timeout_s=_TIMEOUT_S)
    run(command("systemctl", "start", *timers), timeout_s=_TIMEOUT_S)


def _ours() -> list[Path]:
    """Every file that an installation has written."""
    found = [
        *units.DIRECTORY.glob(f"{units.PREFIX}*.timer"),
        *units.DIRECTORY.glob(f"{units.PREFIX}*.service"),
        cron.CRONTAB,
    ]
    return [path for path in found if (_read(path) or "").startswith(units.MARK)]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(
            f"a file of the schedule cannot be read: {error}", where=str(path), hint=f"ls -l {path}"
        ) from error


def _put(change: Change) -> None:
    if change.before is not None and not change.before.startswith(units.MARK):
        raise OpsError(
            "a file of that name is there, and opsctl did not write it",
            where=str(change.path),
            hint=f"look at it, and move it away: {change.path}",
        )
    fresh = change.path.with_name(f".{change.path.name}.new")  # neither systemd nor cron reads such names
    try:
        if change.after is None:
            change.path.unlink()
            return
        fresh.write_text(change.after, encoding="utf-8")
        fresh.chmod(_MODE)
        fresh.replace(change.path)
    except OSError as error:
        raise unwritable(error, change.path) from error


def _make_directory(path: Path, user: str) -> None:
    if path.exists():
        return
    try:
        path.mkdir(mode=0o750, parents=True)
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    except OSError as error:
        raise unwritable(error, path) from error


def _require_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(
            f"jobs shall run as '{name}', and there is no such user",
            hint=f"adduser --system --group {name}, or name another: schedule.user, [[jobs]] user",
        ) from None


def _in_utc() -> bool:
    """Whether this machine's zone is UTC. It is asked of the file: a TZ in our own environment is not cron's."""
    try:
        return _same_as_utc(Path("/etc/localtime").read_bytes())
    except FileNotFoundError:
        return True


def _same_as_utc(zone: bytes) -> bool:
    """A file of tzfile(5) ends in its rule for the future, between line ends."""
    return zone.rstrip(b"\n").rpartition(b"\n")[2] in {b"UTC0", b"<UTC>0", b"GMT0"}


def active_timers() -> Mapping[str, bool]:
    """Our timers that systemd knows, by the job's name, and whether each is active; empty where there is no systemd."""
    if not _SYSTEMD_RUNS.is_dir():
        return {}
    words = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=timer", f"{units.PREFIX}*")
    done = run(command(*words), timeout_s=_TIMEOUT_S)
    rows = (line.split() for line in done.text().splitlines())
    return {
        row[0].removeprefix(units.PREFIX).removesuffix(".timer"): row[2] == "active" for row in rows if len(row) > 2
    }
