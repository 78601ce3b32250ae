"""The systemd units of the jobs: a timer and a service each, shut in as far as the job still works.

What each line means: systemd.exec(5), systemd.timer(5). The program that the service starts is `opsctl schedule run`,
so that a job has the same lock, time limit and record by timer and by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from opsctl.core.errors import SettingsError
from opsctl.schedule.machine import Machine, Planned
from opsctl.schedule.run import GRACE_S
from opsctl.schedule.table import Place, Secret

DIRECTORY = Path("/etc/systemd/system")
MARK = "# Written by opsctl schedule install, which replaces and removes it."
PREFIX = "opsctl-"
_RUN = Path("/run")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108
_ALWAYS = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelModules=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "SystemCallArchitectures=native",
    "KeyringMode=private",
    "UMask=0027",
)
# Reads whatever belongs to others: data of the database, sites, their keys. The rest is for its own files.
_READS_ALL = "CAP_DAC_READ_SEARCH"
_ROOT_NEEDS = f"{_READS_ALL} CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER"
# bubblewrap makes namespaces, mounts in them a /proc of its own, which the kernel allows only to those whose own /proc
# hides nothing, and brings the loopback interface up. So these are for the jobs without it.
_WITHOUT_SANDBOX = (
    "PrivateDevices=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallFilter=@system-service",
)
_WITH_SANDBOX = ("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",)


def unit_name(job: str) -> str:
    """The name of a job's units, without what comes after the dot."""
    return f"{PREFIX}{job}"


def units(plan: Sequence[Planned], machine: Machine) -> dict[str, str]:
    """All unit files by name. Raises SettingsError for secrets that cannot be handed over."""
    found: dict[str, str] = {}
    for each in plan:
        found[f"{unit_name(each.job.name)}.service"] = service(each, machine)
        found[f"{unit_name(each.job.name)}.timer"] = timer(each)
    return found


def timer(planned: Planned) -> str:
    """The timer: a run that was missed while the machine was off is caught up."""
    lines = [
        MARK,
        "[Unit]",
        f"Description=opsctl: {planned.row.what}",
        "",
        "[Timer]",
        *(f"OnCalendar={line}" for line in planned.calendar.systemd),
        "Persistent=true",
        f"RandomizedDelaySec={planned.delay_s:g}",
        "AccuracySec=1",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def service(planned: Planned, machine: Machine) -> str:
    """The service. Its own time limit is behind the job's, which ends the program with notice and writes it down."""
    limit = planned.job.timeout_s + 2 * GRACE_S
    program = " ".join(_quoted(word) for word in (machine.program, "--config", machine.config))
    lines = [
        MARK,
        "[Unit]",
        f"Description=opsctl: {planned.row.what}",
        "Wants=network-online.target",
        "After=network-online.target mariadb.service",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={program} --quiet schedule run {planned.job.name}",
        f"TimeoutStartSec={limit:g}",
        f"User={planned.user}",
        "Nice=5",
        *_ALWAYS,
        *(_WITH_SANDBOX if planned.row.sandbox else _WITHOUT_SANDBOX),
        *_rights(planned),
        *_directories(planned, machine),
        *_credentials(planned, machine),
    ]
    return "\n".join(lines) + "\n"


def _rights(planned: Planned) -> Iterator[str]:
    """A sandbox started by root needs what root has; started by another user it needs nothing."""
    if planned.user == "root":
        if not planned.row.sandbox:
            yield f"CapabilityBoundingSet={_ROOT_NEEDS}"
    elif planned.row.sandbox:
        yield "CapabilityBoundingSet="
    else:
        yield f"CapabilityBoundingSet={_READS_ALL}"
        yield f"AmbientCapabilities={_READS_ALL}"


def _directories(planned: Planned, machine: Machine) -> Iterator[str]:
    """Where it may write. What lies in /run is made anew at each boot, so systemd makes it."""
    writes = writable(planned, machine)
    if machine.lock_dir.parent == _RUN:
        yield f"RuntimeDirectory={machine.lock_dir.name}"
        yield "RuntimeDirectoryMode=0750"
        yield "RuntimeDirectoryPreserve=yes"
    for path in writes:
        yield f"ReadWritePaths=-{_quoted(path)}"
    known = (*writes, *(path for files in machine.secrets.values() for path in files), machine.config, machine.program)
    if not any(path.is_relative_to(place) for path in known for place in _TEMPORARY):
        yield "PrivateTmp=yes"


def writable(planned: Planned, machine: Machine) -> tuple[Path, ...]:
    """The directories that a job writes in, besides one in /run."""
    kinds: tuple[Place, ...] = (*planned.row.writes, "signs")  # each run leaves signs of life
    places = (path for place in kinds for path in machine.writes.get(place, ()))
    locks = () if machine.lock_dir.parent == _RUN else (machine.lock_dir,)
    return tuple(dict.fromkeys((machine.state_dir, *locks, *places)))


def _credentials(planned: Planned, machine: Machine) -> Iterator[str]:
    """The secrets that it opens, which systemd reads as root and shows to this service alone, by the file's name."""
    kinds: tuple[Secret, ...] = (*planned.row.secrets, "notify")  # each run is heard
    files = dict.fromkeys(path for kind in kinds for path in machine.secrets.get(kind, ()))
    names: dict[str, Path] = {}
    for path in files:
        if path.name in names:
            raise SettingsError(
                f"two secrets of the job '{planned.job.name}' have the same file name",
                where=f"{names[path.name]} and {path}",
                hint="rename one of them, and name it in the settings",
            )
        names[path.name] = path
        yield f"LoadCredential={_escaped(path.name)}:{_escaped(str(path))}"


def _quoted(word: object) -> str:
    """A word on the line of a unit file (systemd.syntax(7))."""
    text = _escaped(str(word)).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"' if any(char.isspace() or char in "\"';" for char in text) else text


def _escaped(text: str) -> str:
    """A percent sign begins a specifier."""
    return text.replace("%", "%%")
