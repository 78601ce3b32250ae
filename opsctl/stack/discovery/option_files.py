"""MariaDB's option files, in the order and with the meaning that the server gives them.

https://mariadb.com/docs/server/server-management/install-and-upgrade-mariadb/configuring-mariadb/configuring-mariadb-with-option-files
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.stack.discovery.host import HostFiles

# Those that the server reads; a version, as in [mariadb-10.11], may follow all but the last two.
_VERSIONED = ("mysqld", "mariadb", "mariadbd")
_GROUPS = ("server", "client-server", "galera", *_VERSIONED)
_DEEPEST = 10
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " ", '"': '"', "'": "'", "\\": "\\"}
_INCLUDE = re.compile(r"!(include|includedir)\s+(.+)")


@dataclass(frozen=True)
class Option:
    """One option with its value (None: none is given), which may be a secret. `name` has `_` and no `loose_`."""

    group: str
    name: str
    value: str | None = field(repr=False)
    file: Path
    line: int


@dataclass(frozen=True)
class OptionFiles:
    """What option files say: the files in the order in which they are read, and all options of all groups."""

    files: tuple[Path, ...]
    options: tuple[Option, ...]

    def of_server(self, version: str | None = None) -> tuple[Option, ...]:
        """The options that the server takes; those of a version's own groups only if it is that one (`10.11`)."""
        versioned = {f"{group}-{version}" for group in _VERSIONED if version}
        return tuple(option for option in self.options if option.group in _GROUPS or option.group in versioned)

    def of_versions(self) -> tuple[Option, ...]:
        """The options that only some version of the server takes."""
        return tuple(option for option in self.options if option.group.startswith(tuple(f"{g}-" for g in _VERSIONED)))


def read_option_files(host: HostFiles, files: tuple[Path, ...]) -> OptionFiles:
    """Read `files`, as far as they are there, and all that they include."""
    reader = _Reader(host)
    for file in files:
        reader.read(file, 0)
    return OptionFiles(tuple(dict.fromkeys(reader.files)), tuple(reader.options))


class _Reader:
    def __init__(self, host: HostFiles) -> None:
        self.host = host
        self.files: list[Path] = []
        self.options: list[Option] = []

    def read(self, file: Path, depth: int) -> None:
        """Take in one file and what it includes, in their places. A group ends where its file does."""
        text = self.host.read(file)
        if text is None:
            return
        if depth > _DEEPEST:
            self.host.note(file, "option files include each other", "run: my_print_defaults --mysqld")
            return
        self.files.append(file)
        group = ""
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if line.startswith("["):
                group = line[1:].partition("]")[0].rstrip()
            elif found := _INCLUDE.fullmatch(line):
                for included in self._included(found[1], Path(found[2].strip()), file):
                    self.read(included, depth + 1)
            elif line and line[0] not in "#;!":
                self.options.append(_option(group, line, file, number))

    def _included(self, kind: str, path: Path, file: Path) -> Iterator[Path]:
        if not path.is_absolute():
            self.host.note(
                file, f"includes {path}, which depends on where the server is started", "write the absolute path"
            )
        elif kind == "include":
            yield path
        else:
            yield from (path / name for name in self.host.names(path) if name.endswith(".cnf"))


def _option(group: str, line: str, file: Path, number: int) -> Option:
    name, equals, value = _without_comment(line).partition("=")
    name = name.strip().replace("-", "_").removeprefix("loose_")
    return Option(group, name, _unquoted(value.strip()) if equals else None, file, number)


def _without_comment(line: str) -> str:
    """The line up to a `#` that stands in no quotes."""
    quote = ""
    escaped = False
    for at, character in enumerate(line):
        if character in "'\"" and not escaped:
            quote = "" if quote == character else quote or character
        if character == "#" and not quote:
            return line[:at]
        escaped = bool(quote) and character == "\\" and not escaped
    return line


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
        value = value[1:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value)
