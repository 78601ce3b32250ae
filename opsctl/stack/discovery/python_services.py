"""Finds Python services: systemd units that start a program of a virtual environment or an interpreter."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsctl.stack.discovery.drafts import Draft
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.secrets import secret_names

# The administrator's own units; those of packages come back with their packages.
_UNITS = (Path("/etc/systemd/system"), Path("/usr/local/lib/systemd/system"))
_PREFIXES = "-@:+!|"
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_PERHAPS = re.compile(r"\b(python3?|gunicorn|uvicorn|uwsgi|celery|venv|virtualenv)\b")
_SHARED = {"/", "/srv", "/var", "/var/www", "/var/lib", "/home", "/opt", "/root", "/usr", "/usr/local", "/tmp"}  # noqa: S108 - never a site


@dataclass(frozen=True)
class Service:
    """A Python service that was found, and all words of its unit, by which a web server's address is matched to it."""

    draft: Draft
    name: str
    words: str


@dataclass(frozen=True)
class _Unit:
    name: str
    files: tuple[Path, ...]
    settings: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of a setting; an empty one takes back those before it."""
        found: list[str] = []
        for key, value in self.settings:
            if key == name:
                found = [*found, value] if value else []
        return found

    def last(self, name: str) -> str | None:
        """The value that counts of a setting that has one."""
        return next(reversed(self.all(name)), None)


def find_python_services(host: HostFiles) -> Iterator[Service]:
    """Find the services, each once. What starts Python in a way that is not understood is noted."""
    for unit in _units(host):
        for start in unit.all("ExecStart"):
            draft = _draft(host, unit, start)
            if draft is not None:
                sockets = " ".join(_socket_words(host, unit))
                yield Service(draft, unit.name, " ".join(value for _, value in unit.settings) + " " + sockets)
                break


def _units(host: HostFiles) -> Iterator[_Unit]:
    seen: set[str] = set()
    for directory in _UNITS:
        for name in host.names(directory):
            path = directory / name
            if name.endswith(".service") and name not in seen and not host.is_link(path) and host.is_file(path):
                seen.add(name)
                drop_ins = [
                    place / f"{name}.d" / each
                    for place in _UNITS
                    for each in host.names(place / f"{name}.d")
                    if each.endswith(".conf")
                ]
                files = (path, *drop_ins)
                settings = tuple(pair for file in files for pair in _settings(host.read(file) or ""))
                yield _Unit(name.removesuffix(".service"), files, settings)


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """The settings of a unit file, continued lines joined; comments may stand between them (systemd.syntax(7))."""
    pending = ""
    for raw in text.splitlines():
        if raw.lstrip().startswith(("#", ";")):
            continue
        line = pending + raw.strip()
        pending = ""
        if line.endswith("\\"):
            pending = line[:-1] + " "
            continue
        key, equals, value = line.partition("=")
        if equals and not line.startswith("["):
            yield key.strip(), value.strip()


def _socket_words(host: HostFiles, unit: _Unit) -> Iterator[str]:
    for directory in _UNITS:
        for key, value in _settings(host.read(directory / f"{unit.name}.socket") or ""):
            if key == "ListenStream":
                yield value


def _draft(host: HostFiles, unit: _Unit, start: str) -> Draft | None:
    program, words = _program(start)
    venv = _venv(host, program)
    if venv is None and not _PYTHON.fullmatch(program.name):
        if _PERHAPS.search(start) and not program.is_relative_to("/usr/lib"):
            host.note(
                unit.files[0],
                f"{unit.name} starts {program.name} in a way that is not understood, perhaps Python",
                "add a [[sites]] table of kind python with its paths and secret files",
            )
        return None
    directory = unit.last("WorkingDirectory") or ""
    home = _home(host, directory.removeprefix("-"), venv, words)
    places = (directory, str(program), str(home or ""))
    if home is None or any("%" in place for place in places):
        host.note(
            unit.files[0],
            f"where the Python service {unit.name} lies is not understood",
            "set WorkingDirectory to its own directory, or add a [[sites]] table of kind python",
        )
        return None
    environment = _environment_files(host, unit)
    holding = tuple(file for file in unit.files if _inline_secrets(unit) and secret_names(_plain(host, file)))
    return Draft(
        kind="python",
        home=home,
        paths=(home, *((venv,) if venv else ()), *unit.files, *_sockets(host, unit)),
        secrets=(*environment, *holding),
        config=None,
        uploads=next((home / name for name in ("media", "uploads") if host.is_dir(home / name)), None),
    )


def _program(start: str) -> tuple[Path, list[str]]:
    """The program that a unit starts, and all words of the command."""
    try:
        words = shlex.split(start.lstrip(_PREFIXES))
    except ValueError:
        words = start.lstrip(_PREFIXES).split()
    if words and words[0].endswith("/env") and len(words) > 1:
        words = words[1:]
    return Path(words[0] if words else "/"), words


def _venv(host: HostFiles, program: Path) -> Path | None:
    """The virtual environment in whose `bin` a program lies."""
    candidate = program.parent.parent
    return candidate if program.parent.name == "bin" and host.is_file(candidate / "pyvenv.cfg") else None


def _home(host: HostFiles, directory: str, venv: Path | None, words: list[str]) -> Path | None:
    """Where the service's own files lie: its working directory, its script's, or what holds its environment."""
    scripts = [Path(word).parent for word in words[1:2] if word.endswith(".py") and word.startswith("/")]
    for place in (Path(directory) if directory.startswith("/") else None, *scripts, venv.parent if venv else None):
        if place is not None and str(place) not in _SHARED and host.is_dir(place):
            return place
    return None


def _environment_files(host: HostFiles, unit: _Unit) -> tuple[Path, ...]:
    found: list[Path] = []
    for value in unit.all("EnvironmentFile"):
        file = Path(value.removeprefix("-"))
        if "%" in value or "*" in value:
            host.note(unit.files[0], f"EnvironmentFile={value} names no one file", "add what it names to secret_files")
        elif host.is_file(file):
            found.append(file)
        elif not value.startswith("-"):
            host.note(unit.files[0], f"EnvironmentFile={value} is not there", "restore it, or correct the unit")
    return tuple(found)


def _inline_secrets(unit: _Unit) -> bool:
    return any(key == "Environment" for key, _ in unit.settings)


def _plain(host: HostFiles, file: Path) -> str:
    """What a unit file sets in the environment, one setting a line."""
    lines = []
    for key, value in _settings(host.read(file) or ""):
        if key == "Environment":
            lines += re.split(r"[\s\"']+(?=\w+=)", value.strip("\"' "))
    return "\n".join(lines)


def _sockets(host: HostFiles, unit: _Unit) -> tuple[Path, ...]:
    names = (directory / f"{unit.name}.socket" for directory in _UNITS)
    return tuple(name for name in names if host.is_file(name))
