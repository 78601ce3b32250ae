"""nginx's configuration as far as a backup needs it: its files, server names, certificates and keys."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import crossplane

from opsctl.core.errors import OpsError
from opsctl.stack.rooted import below, resolve

_MAX_DEPTH = 20
_CERTIFICATES = ("ssl_certificate", "ssl_trusted_certificate", "ssl_client_certificate", "ssl_dhparam")
_KEYS = ("ssl_certificate_key", "ssl_password_file", "ssl_session_ticket_key")
_PREFIXES = ("", "proxy_", "grpc_", "uwsgi_")
# The parser's own idea of how many words a directive takes is older than many an nginx.
_ARGUMENTS = "invalid number of arguments"
# Values that are no file: the data itself, or a key of an OpenSSL engine or store.
_NO_FILE = ("data:", "engine:", "store:")


@dataclass(frozen=True)
class NginxConfig:
    """What the configuration says, in the order found and each thing once. Paths are absolute, as on the host.

    `directives` is all of it as it stands; after each include comes what it includes.
    """

    files: tuple[Path, ...]
    server_names: tuple[str, ...]
    certificates: tuple[Path, ...]
    private_keys: tuple[Path, ...]
    password_files: tuple[Path, ...]
    directives: tuple["Directive", ...]

    @property
    def secrets(self) -> tuple[Path, ...]:
        """All files with secrets: private keys, and users with the hashes of their passwords."""
        return (*self.private_keys, *self.password_files)


@dataclass(frozen=True)
class Directive:
    """One directive, with its block if it has one, and where it stands."""

    name: str
    args: tuple[str, ...]
    block: tuple["Directive", ...]
    file: Path
    line: int


def read_nginx(root: Path, config: Path, problems: list[OpsError] | None = None) -> NginxConfig:
    """Read the main file `config` and all that it includes, on the host whose `/` is `root`.

    Raises OpsError, which names the file and line, for what is not there or cannot be parsed. With `problems`, those
    of included files are put there instead, and the rest is read.
    """
    reader = _Reader(root, config, problems)
    directives = reader.read(config, 0)
    return NginxConfig(
        files=tuple(dict.fromkeys(reader.files)),
        server_names=tuple(dict.fromkeys(reader.names)),
        certificates=tuple(dict.fromkeys(reader.open)),
        private_keys=tuple(dict.fromkeys(reader.keys)),
        password_files=tuple(dict.fromkeys(reader.passwords)),
        directives=directives,
    )


class _Reader:
    def __init__(self, root: Path, config: Path, problems: list[OpsError] | None) -> None:
        self.root = root
        self.problems = problems
        self.prefix = config.parent  # to which nginx takes names of files in its configuration as relative
        self.files: list[Path] = []
        self.names: list[str] = []
        self.open: list[Path] = []
        self.keys: list[Path] = []
        self.passwords: list[Path] = []

    def read(self, file: Path, depth: int) -> tuple[Directive, ...]:
        """Take in one file, and those it includes in their places."""
        if depth > _MAX_DEPTH:
            raise OpsError("nginx's configuration includes itself", where=str(file), hint="run: nginx -t")
        directives = _parse(below(self.root, resolve(self.root, file)[1]), file)
        self.files.append(file)
        return self._walk(directives, depth)

    def _walk(self, directives: Sequence[Directive], depth: int) -> tuple[Directive, ...]:
        expanded: list[Directive] = []
        for directive in directives:
            if directive.name == "include":
                expanded.append(directive)
                for file in self._included(directive.args[0]):
                    expanded += self._include(file, depth + 1)
            else:
                self._take(directive)
                expanded.append(replace(directive, block=self._walk(directive.block, depth)))
        return tuple(expanded)

    def _include(self, file: Path, depth: int) -> tuple[Directive, ...]:
        try:
            return self.read(file, depth)
        except OpsError as error:
            if self.problems is None:
                raise
            self.problems.append(error)
            return ()

    def _take(self, directive: Directive) -> None:
        if directive.name == "server_name":
            self.names += [name for name in directive.args if name]
        if directive.name == "auth_basic_user_file":
            # nginx starts without one and refuses everybody, so one that is not there keeps no backup from being made.
            self.passwords += [file for file in self._file(directive.args[0]) if self._is_there(file)]
        for prefix in _PREFIXES:
            plain = directive.name.removeprefix(prefix)
            if plain in _CERTIFICATES and directive.name.startswith(prefix):
                self.open += self._file(directive.args[0])
            elif plain in _KEYS and directive.name.startswith(prefix):
                self.keys += self._file(directive.args[0])

    def _is_there(self, file: Path) -> bool:
        return below(self.root, resolve(self.root, file)[1]).is_file()

    def _file(self, value: str) -> list[Path]:
        return [] if "$" in value or value.startswith(_NO_FILE) else [self.prefix / value]

    def _included(self, pattern: str) -> Iterator[Path]:
        """The files that an include names, sorted as nginx does; one without wildcards has to be there."""
        path = self.prefix / pattern
        if not glob.has_magic(pattern):
            yield path
            return
        fixed = Path("/")
        parts = list(path.parts[1:])
        while parts and not glob.has_magic(parts[0]):
            fixed /= parts.pop(0)
        directory = below(self.root, resolve(self.root, fixed)[1])
        for match in sorted(glob.glob(os.path.join(*parts), root_dir=directory)):
            yield fixed / match


def _parse(place: Path, file: Path) -> tuple[Directive, ...]:
    # Where a directive may stand depends on what includes it, so that is not checked for a file by itself.
    parsed = crossplane.parse(str(place), single=True, check_ctx=False)
    for error in parsed["errors"]:
        if _ARGUMENTS not in error["error"]:
            line = f", line {error['line']}" if error["line"] else ""
            raise OpsError(
                f"nginx's configuration cannot be read: {error['error']}", where=f"{file}{line}", hint="run: nginx -t"
            )
    return _directives(parsed["config"][0]["parsed"], file)


def _directives(parsed: list[dict[str, Any]], file: Path) -> tuple[Directive, ...]:
    return tuple(
        Directive(
            item["directive"], tuple(item["args"]), _directives(item.get("block", []), file), file, int(item["line"])
        )
        for item in parsed
    )
