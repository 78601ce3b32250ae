"""Server options for a restored datadir: from an allow list, whatever the restored option file says.

A backup's `backup-my.cnf` was written by mariadb-backup on a host that may have been hijacked. Only the options that
describe how InnoDB's files are laid out are taken from it, each in the one form it has; plugins, paths and everything
else are set here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backup.manifest import Database
from opsctl.core.errors import IntegrityError, OpsError
from opsctl.core.process import quote_option

_NUMBER = re.compile(r"[0-9]{1,12}")
_ONE_FILE = r"[A-Za-z0-9_.-]{1,64}:[0-9]{1,12}[KMG]?"
_DATA_FILES = re.compile(rf"{_ONE_FILE}(;{_ONE_FILE})*(:autoextend(:max:[0-9]{{1,12}}[KMG]?)?)?")
_CHECKSUM = re.compile(r"(strict_)?(full_crc32|crc32|innodb|none)")
_GEOMETRY: Mapping[str, re.Pattern[str]] = {
    "innodb_checksum_algorithm": _CHECKSUM,
    "innodb_data_file_path": _DATA_FILES,
    "innodb_log_file_size": _NUMBER,
    "innodb_page_size": _NUMBER,
    "innodb_undo_tablespaces": _NUMBER,
}
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_./:;=,+@-]+")
_CIPHER = "file_key_management_encryption_algorithm"
_CIPHERS = ("aes_cbc", "aes_ctr")

# Debian's; the server finds its own, mariadb-backup has to be told.
PLUGIN_DIR = Path("/usr/lib/mysql/plugin")


@dataclass(frozen=True)
class Geometry:
    """How the files of a backup are laid out: InnoDB options by name, and the cipher of file_key_management."""

    innodb: tuple[tuple[str, str], ...] = ()
    cipher: str = _CIPHERS[0]

    def words(self) -> list[str]:
        """The options as words of a command line."""
        return [f"--{name.replace('_', '-')}={value}" for name, value in self.innodb]


PLAIN = Geometry()


def parse_geometry(text: str) -> Geometry:
    """Read the geometry out of a backup's option file; all else in it is passed over.

    Raises IntegrityError when an option of the geometry has a value that no such option has.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        name, value = name.strip().replace("-", "_").removeprefix("loose_"), value.strip().strip("\"'")
        if equals and (name in _GEOMETRY or name == _CIPHER):
            found[name] = value
    cipher = found.pop(_CIPHER, _CIPHERS[0]).lower()
    if cipher not in _CIPHERS:
        raise IntegrityError(f"the backup names the cipher '{cipher}', which file_key_management does not have")
    for name, value in found.items():
        if not _GEOMETRY[name].fullmatch(value):
            raise IntegrityError(f"the backup says {name}={value}, which is no such value")
    return Geometry(tuple(sorted(found.items())), cipher)


def encryption_words(database: Database, geometry: Geometry, keys: Path) -> list[str]:
    """The options that open encrypted tables with the *restored* keys below `keys`, and keep new ones encrypted.

    No words for a database without encryption. Raises OpsError when the manifest does not say which file holds them.
    """
    if not database.encrypted:
        return []
    if database.key_file is None:
        raise OpsError(
            "the database is encrypted and the manifest names no key file", hint="only file_key_management is known"
        )
    words = [
        "--plugin-load=file_key_management",
        f"--file-key-management-filename={below(keys, database.key_file)}",
        f"--file-key-management-encryption-algorithm={geometry.cipher}",
    ]
    if database.filekey_file is not None:
        words.append(f"--file-key-management-filekey=FILE:{below(keys, database.filekey_file)}")
    return words


def datadir_words(database: Database, geometry: Geometry, keys: Path) -> list[str]:
    """The options with which a server has to run on the restored datadir.

    What is written there from now on is encrypted if the source knew encryption: a restore must not leave customers'
    data readable where it was not.
    """
    words = [*geometry.words(), *encryption_words(database, geometry, keys)]
    if database.encrypted:
        words += ["--innodb-encrypt-tables=ON", "--innodb-encrypt-log=ON", "--aria-encrypt-tables=ON"]
        words += ["--encrypt-tmp-files=ON"]
    return words


def below(directory: Path, host_path: str) -> Path:
    """Where a path of the host lies below a directory. Raises IntegrityError for a path that leads out of it."""
    parts = PurePosixPath(host_path).parts
    if not host_path.startswith("/") or ".." in parts:
        raise IntegrityError(f"'{host_path}' is no path of the host")
    return directory.joinpath(*parts[1:])


def option_file(group: str, words: list[str]) -> str:
    """The same options as a group of an option file."""
    lines = [f"[{group}]"]
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        # mariadb-backup takes plugin_load as it stands, quotes and all.
        value = value if _PLAIN_VALUE.fullmatch(value) else quote_option(value)
        lines.append(f"{name}={value}" if equals else name)
    return "\n".join(lines) + "\n"
