"""Probes of the programs that opsctl drives: there, and not older than those it was tried with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from opsctl.core.errors import OpsError
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.process import command
from opsctl.core.runner import Runner

TIMEOUT_S = 20.0
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class _Program:
    """The words that make it say its version, the Debian package it comes from, and the oldest version that was tried.

    MariaDB's are compared with the server and with the backups instead.
    """

    words: tuple[str, ...]
    package: str
    oldest: tuple[int, int] | None = None


# The oldest are those of Debian 12.
_PROGRAMS: Mapping[str, _Program] = {
    "age": _Program(("age", "--version"), "age", (1, 1)),
    "bwrap": _Program(("bwrap", "--version"), "bubblewrap", (0, 8)),
    "mariadb-backup": _Program(("mariadb-backup", "--version"), "mariadb-backup"),
    "mariadb-binlog": _Program(("mariadb-binlog", "--version"), "mariadb-client"),
    "mariadbd": _Program(("mariadbd", "--version"), "mariadb-server"),
    "mbstream": _Program(("mbstream", "--version"), "mariadb-backup"),
    "nginx": _Program(("nginx", "-v"), "nginx-light", (1, 22)),
    "php": _Program(("php", "--version"), "php-cli", (8, 2)),
    "setpriv": _Program(("setpriv", "--version"), "util-linux", (2, 38)),
    "ssh-keygen": _Program(("ssh", "-V"), "openssh-client", (9, 2)),
    "tar": _Program(("tar", "--version"), "tar", (1, 34)),
    "zstd": _Program(("zstd", "--version"), "zstd", (1, 5)),
}
_WITHOUT_VERSION = frozenset({"mbstream"})
ON_HOST = ("mariadb-backup", "mariadb-binlog", "zstd", "age", "tar", "ssh-keygen")
ON_DRILL_HOST = (
    *("mariadbd", "mariadb-backup", "mbstream", "mariadb-binlog", "zstd", "age", "tar", "ssh-keygen"),
    *("bwrap", "setpriv", "nginx", "php"),
)


def program_probes(names: tuple[str, ...]) -> list[Look]:
    """A probe for each program."""
    return [
        Look(f"program.{name.replace('-', '_')}", f"{name} is installed", _expected(name), partial(_look, name))
        for name in names
    ]


def php_probe() -> Look:
    """What a restored site's configuration logs in with."""
    return Look("program.php_mysqli", "php can log in to MariaDB", "php has the extension mysqli", _mysqli)


def _expected(name: str) -> str:
    oldest = _PROGRAMS[name].oldest
    return f"{name} runs" if oldest is None else f"{name} runs, of version {_dotted(oldest)} or newer"


def _look(name: str, host: Runner) -> Seen:
    program = _PROGRAMS[name]
    hint = f"apt-get install {program.package}"
    try:
        done = host.run(command(*program.words), timeout_s=TIMEOUT_S)
    except OpsError as error:
        return bad(str(error.message), hint)
    if name in _WITHOUT_VERSION:
        return good("it is there")
    if not done.ok:
        return bad(f"{' '.join(program.words)} ended with {done.status}", hint)
    said = (done.text() or done.stderr).strip().partition("\n")[0]
    return good(said) if program.oldest is None else _not_older(name, program, said, program.oldest)


def _not_older(name: str, program: _Program, said: str, oldest: tuple[int, int]) -> Seen:
    found = _VERSION.search(said)
    if found is None:
        return unknown(f"its version cannot be read: {said}", " ".join(program.words))
    if tuple(int(number) for number in found[0].split(".")[:2]) < oldest:
        return bad(
            f"{name} {found[0]} is older than {_dotted(oldest)}, the oldest that was tried",
            f"apt-get install {program.package}",
        )
    return good(said)


def _mysqli(host: Runner) -> Seen:
    hint = "apt-get install php-mysql"
    try:
        done = host.run(command("php", "-m"), timeout_s=TIMEOUT_S)
    except OpsError as error:
        return bad(str(error.message), "apt-get install php-cli php-mysql")
    return good("mysqli is there") if "mysqli" in done.text().split() else bad("php has no mysqli", hint)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)
