"""Probes of the programs that opsctl drives."""

from functools import partial

from opsctl.core.errors import OpsError
from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.process import command
from opsctl.core.runner import Runner

TIMEOUT_S = 20.0

# Program: the word that makes it say its version, and the Debian package it comes from.
_PROGRAMS = {
    "age": ("--version", "age"),
    "bwrap": ("--version", "bubblewrap"),
    "mariadb-backup": ("--version", "mariadb-backup"),
    "mariadb-binlog": ("--version", "mariadb-client"),
    "mariadbd": ("--version", "mariadb-server"),
    "mbstream": ("--version", "mariadb-backup"),
    "nginx": ("-v", "nginx-light"),
    "php": ("--version", "php-cli php-mysql"),
    "setpriv": ("--version", "util-linux"),
    "ssh-keygen": ("-?", "openssh-client"),
    "tar": ("--version", "tar"),
    "zstd": ("--version", "zstd"),
}
_WITHOUT_VERSION = frozenset({"mbstream", "ssh-keygen"})
ON_HOST = ("mariadb-backup", "mariadb-binlog", "zstd", "age", "tar", "ssh-keygen")
ON_DRILL_HOST = (
    *("mariadbd", "mariadb-backup", "mbstream", "mariadb-binlog", "zstd", "age", "tar", "ssh-keygen"),
    *("bwrap", "setpriv", "nginx", "php"),
)


def program_probes(names: tuple[str, ...]) -> list[Look]:
    """A probe for each program: it is there, and says its version."""
    return [
        Look(f"program.{name.replace('-', '_')}", f"{name} is installed", f"{name} runs", partial(_look, name))
        for name in names
    ]


def _look(name: str, host: Runner) -> Seen:
    word, package = _PROGRAMS[name]
    hint = f"apt-get install {package}"
    try:
        done = host.run(command(name, word), timeout_s=TIMEOUT_S)
    except OpsError as error:
        return bad(str(error.message), hint)
    lines = (done.text() or done.stderr).strip().splitlines()
    if name in _WITHOUT_VERSION:
        return good("it is there")
    if not done.ok:
        return bad(f"{name} {word} ended with {done.status}", hint)
    return good(lines[0].strip() if lines else "it is there")
