"""Which files hold secrets: they go into the keys archive, and into no other.

Declared ones are named by the settings, by the server and by nginx's configuration. Others are recognised by what they
are while trees are read: another name of a declared file, a file that begins with a private key or, in configurations,
has a key or a password in it, a well-known name.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.stack.rooted import below, resolve

WELL_KNOWN = frozenset({"wp-config.php", "app-config.php", ".env"})
_PRIVATE_KEY_FILE = re.compile(rb"\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
# Of MariaDB's option files: a password, or the key file's own key written out instead of named by FILE:.
OPTION_SECRET = re.compile(
    rb"^[ \t]*(?:loose[-_])?(?:password[ \t]*=|file[-_]key[-_]management[-_]filekey[ \t]*=(?![ \t\"']*FILE:))"
    rb"[ \t]*[^\s#]",
    re.MULTILINE | re.IGNORECASE,
)
_KEY_NAME = re.compile(r"privkey.*\.pem")
_BEGINNING = 256
_WHOLE = 1 << 20


@dataclass
class Secrets:
    """The declared secrets, by their real paths on the host, and those that were recognised while reading.

    `links` are symbolic links that lead to declared ones; they lie beside them in the keys archive. Everything below
    one of `directories` is secret. `roots` names what `/` is for those that are not seen from `root`.
    """

    root: Path
    roots: Mapping[Path, Path]
    declared: frozenset[Path]
    links: frozenset[Path]
    inodes: frozenset[tuple[int, int]]
    directories: tuple[Path, ...] = ()
    recognised: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._folders = tuple(f"{directory}/" for directory in self.directories)  # asked for each file of a tree

    def is_named(self, path: Path, found: os.stat_result, *, guess: bool) -> bool:
        """Whether a path is secret by its place, its name (only if `guess`), or as another name of a declared file."""
        return (
            path in self.declared
            or path in self.links
            or (found.st_dev, found.st_ino) in self.inodes
            or f"{path}/".startswith(self._folders)
            or (guess and (path.name in WELL_KNOWN or _KEY_NAME.fullmatch(path.name) is not None))
        )

    def place(self, path: Path) -> Path:
        """Where one of them lies on this machine."""
        return below(self.roots.get(path, self.root), path)

    def paths(self) -> tuple[Path, ...]:
        """All of them, sorted: what the keys archive holds."""
        return tuple(sorted(self.declared | self.links | self.recognised))


def find_secrets(root: Path, files: Mapping[Path, Path], directories: Iterable[Path]) -> Secrets:
    """Follow the links of declared files; `files` says for each what `/` is for it, `root` what it is for trees.

    Raises OpsError for a file that is not there.
    """
    declared: set[Path] = set()
    links: set[Path] = set()
    roots: dict[Path, Path] = {}
    inodes: set[tuple[int, int]] = set()
    for file, seen_from in files.items():
        on_the_way, real = resolve(seen_from, file)
        try:
            found = below(seen_from, real).lstat()
        except OSError as error:
            raise OpsError(
                f"a file with secrets cannot be read: {error.strerror}",
                where=str(file),
                hint="name the right file in the settings (secret_files, config), or restore it",
            ) from error
        declared.add(real)
        # Links to directories stay where they are: only the last one is the file's own name.
        names = [link for link in on_the_way if resolve(seen_from, link)[1] == real]
        links.update(names)
        inodes.add((found.st_dev, found.st_ino))
        if seen_from != root:
            roots |= dict.fromkeys((real, *names), seen_from)
    return Secrets(root, roots, frozenset(declared), frozenset(links), frozenset(inodes), tuple(directories))


def holds_secret(descriptor: int, pattern: re.Pattern[bytes] | None) -> bool:
    """Whether an open file begins with a PEM private key, or has the pattern of a secret in its first MiB."""
    if pattern is not None and pattern.search(os.pread(descriptor, _WHOLE, 0)) is not None:
        return True
    return _PRIVATE_KEY_FILE.match(os.pread(descriptor, _BEGINNING, 0)) is not None
