"""Where a MariaDB server's encryption keys lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsctl.core.errors import SettingsError

FILE_PLUGIN = "file_key_management"
_FILE = "FILE:"


@dataclass(frozen=True)
class EncryptionKeys:
    """The key management plugin, if one is active, and with file_key_management its files, as the server names them.

    `filekey_file` holds the password of an encrypted key file.
    """

    plugin: str | None
    key_file: Path | None
    filekey_file: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files without which nothing encrypted can be read."""
        return tuple(file for file in (self.key_file, self.filekey_file) if file is not None)


def encryption_keys(plugin: str | None, variables: Mapping[str, str]) -> EncryptionKeys:
    """Read the keys' places from the active plugin's name and the server's variables `file_key_management_*`.

    https://mariadb.com/docs/server/security/securing-mariadb/encryption/data-at-rest-encryption/key-management-and-encryption-plugins/file-key-management-encryption-plugin
    Raises SettingsError when the key file's password stands in the configuration itself: mariadb-backup would copy it
    into every data archive.
    """
    if plugin != FILE_PLUGIN:
        return EncryptionKeys(plugin, None, None)
    filekey = variables.get("file_key_management_filekey", "")
    if filekey and not filekey.startswith(_FILE):
        raise SettingsError(
            "the password of the encryption keys stands in the server's configuration, and would go into data archives",
            where="file_key_management_filekey",
            hint="write it into a file of mode 0600 and set file_key_management_filekey=FILE:<that file>",
        )
    filename = variables.get("file_key_management_filename", "")
    return EncryptionKeys(
        plugin,
        Path(filename) if filename else None,
        Path(filekey.removeprefix(_FILE)) if filekey else None,
    )
