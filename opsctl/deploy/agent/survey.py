"""What somebody could have added to a host without touching what a plan names: one line for each thing there is.

Names, hashes and fingerprints, and lines that hold no secret: the survey of a host goes to the operator's machine and
is kept there.
"""

import hashlib
import json
import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from . import host

# Directories in which a file that nobody planned changes what the host does.
WATCHED = (
    "/etc/apt/apt.conf.d", "/etc/apt/sources.list.d", "/etc/apt/trusted.gpg.d", "/etc/cron.d", "/etc/cron.daily",
    "/etc/cron.hourly", "/etc/cron.monthly", "/etc/cron.weekly", "/etc/ld.so.conf.d",
    "/etc/letsencrypt/renewal-hooks", "/etc/logrotate.d",
    "/etc/mysql", "/etc/nginx", "/etc/pam.d", "/etc/php", "/etc/profile.d", "/etc/ssh", "/etc/sudoers.d",
    "/etc/systemd/system", "/etc/tmpfiles.d", "/usr/local/bin", "/usr/local/sbin", "/var/spool/cron/crontabs",
)  # fmt: skip
FILES = (
    "/etc/apt/sources.list", "/etc/crontab", "/etc/environment", "/etc/group", "/etc/hosts", "/etc/ld.so.preload",
    "/etc/nftables.conf", "/etc/passwd", "/etc/rc.local", "/etc/sudoers",
)  # fmt: skip
SUDOERS = ("/etc/sudoers", "/etc/sudoers.d")
CRON = ("/etc/crontab", "/etc/cron.d", "/var/spool/cron/crontabs")
_TIMES = re.compile(r"@\S+|\S+(\s+\S+){4}")
_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")
_PROCESS = re.compile(r'"([^"]+)"')


def survey() -> dict[str, str]:
    """Everything found: what it is, and what it is like."""
    found: dict[str, str] = {}
    for lines in (_files(), _sudoers(), _cron(), _accounts(), _keys(), _units(), _sockets(), _packages(), _firewall()):
        found.update(lines)
    return found


def _files() -> Iterator[tuple[str, str]]:
    for name in FILES:
        yield from _file(Path(name))
    for name in WATCHED:
        for directory, _, files in os.walk(name):
            for file in sorted(files):
                yield from _file(Path(directory) / file)


def _file(path: Path) -> Iterator[tuple[str, str]]:
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            yield f"file {path}", f"link to {os.readlink(path)}"
        elif stat.S_ISREG(found.st_mode):
            owner, group = host.owner_of(found)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield f"file {path}", f"{owner}:{group} {stat.S_IMODE(found.st_mode):04o} {digest}"
    except FileNotFoundError:
        return


def _sudoers() -> Iterator[tuple[str, str]]:
    """What lets people become others, line by line."""
    for path, line in _lines(SUDOERS):
        yield _named(path, line), line


def _cron() -> Iterator[tuple[str, str]]:
    """What runs by itself, when, and as whom; not what it is told, which may be secret."""
    for path, line in _lines(CRON):
        if times := _TIMES.match(line):
            words = line[times.end() :].split()
            shown = words[: 1 if "crontabs" in path.parts else 2]
            yield _named(path, line), " ".join([times[0], *shown, *(["…"] if len(words) > len(shown) else [])])


def _named(path: Path, line: str) -> str:
    return f"line of {path} {hashlib.sha256(line.encode()).hexdigest()[:16]}"


def _lines(names: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """The lines of files, and of those in directories, that are more than a comment."""
    for path in map(Path, names):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            text = file.read_text(errors="replace") if file.is_file() else ""
            yield from ((file, line.strip()) for line in text.splitlines() if line.strip() and line.strip()[0] != "#")


def _accounts() -> Iterator[tuple[str, str]]:
    """Accounts, who may become root, and every key that opens one."""
    for entry in pwd.getpwall():
        groups = " ".join(sorted(set(host.run("id", "-Gn", entry.pw_name, check=False).split())))
        yield f"account {entry.pw_name}", f"uid {entry.pw_uid}, {entry.pw_shell}, groups {groups}"
        keys = Path(entry.pw_dir) / ".ssh/authorized_keys"
        lines = keys.read_text(errors="replace").splitlines() if keys.is_file() else []
        for line in lines:
            if line.strip() and not line.startswith("#"):
                digest = hashlib.sha256(line.strip().encode()).hexdigest()[:16]
                yield f"key of {entry.pw_name} {digest}", line.strip().split()[-1][:60]


def _keys() -> Iterator[tuple[str, str]]:
    """The public parts of the keys that opsctl made on this host: whoever believes it has to know them."""
    for path in sorted(Path("/etc/opsctl").glob("*.pub")):
        yield f"public key {path}", " ".join(path.read_text(errors="replace").split()[:2])[:4096]


def _units() -> Iterator[tuple[str, str]]:
    said = host.run("systemctl", "list-unit-files", "--state=enabled", "--output=json", "--no-pager")
    for unit in json.loads(said):
        yield f"unit {unit['unit_file']}", "enabled"


def _sockets() -> Iterator[tuple[str, str]]:
    """What listens for others; ports of this host alone change with every program that starts."""
    for line in host.run("ss", "-Hltnup").splitlines():
        words = line.split()
        protocol, local = words[0], words[4]
        if not local.startswith(("127.", "[::1]")):
            process = _PROCESS.search(line)
            yield f"port {protocol} {local}", process[1] if process else ""


def _packages() -> Iterator[tuple[str, str]]:
    """Names only: versions change with every security upgrade."""
    for name in host.run("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n").splitlines():
        status, _, package = name.partition(" ")
        if status == "installed":
            yield f"package {package}", "installed"


def _firewall() -> Iterator[tuple[str, str]]:
    rules = _COUNTERS.sub("counter", host.run("nft", "--stateless", "list", "ruleset", check=False))
    for number, line in enumerate(line.strip() for line in rules.splitlines() if line.strip() not in ("", "}")):
        yield f"firewall {number:03}", line
