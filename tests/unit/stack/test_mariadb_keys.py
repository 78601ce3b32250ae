"""Where a server's encryption keys lie."""

from pathlib import Path

import pytest

from opsctl.core.errors import ExitCode, SettingsError
from opsctl.stack.mariadb_keys import encryption_keys

KEYS = "/etc/mysql/encryption/keyfile.enc"
FILEKEY = "/etc/mysql/encryption/keyfile.key"


def test_a_server_without_a_plugin_has_no_keys() -> None:
    assert encryption_keys(None, {}).files == ()


def test_key_file_and_the_file_with_its_password_are_found() -> None:
    variables = {"file_key_management_filename": KEYS, "file_key_management_filekey": f"FILE:{FILEKEY}"}
    assert encryption_keys("file_key_management", variables).files == (Path(KEYS), Path(FILEKEY))


def test_a_key_file_without_a_password_stands_alone() -> None:
    variables = {"file_key_management_filename": KEYS, "file_key_management_filekey": ""}
    assert encryption_keys("file_key_management", variables).files == (Path(KEYS),)


def test_keys_of_another_plugin_are_not_in_files() -> None:
    found = encryption_keys("hashicorp_key_management", {})
    assert (found.plugin, found.files) == ("hashicorp_key_management", ())


def test_a_password_in_the_configuration_itself_is_refused_and_not_repeated() -> None:
    variables = {"file_key_management_filename": KEYS, "file_key_management_filekey": "the-password"}
    with pytest.raises(SettingsError) as raised:
        encryption_keys("file_key_management", variables)
    assert raised.value.exit_code is ExitCode.USAGE
    assert "the-password" not in f"{raised.value} {raised.value.hint}"
