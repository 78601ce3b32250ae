"""What a restored option file may decide, and what it may not."""

from pathlib import Path

import pytest

from backup.manifest import Database
from opsctl.core.errors import IntegrityError, OpsError
from restore_drill.options import Geometry, below, datadir_words, encryption_words, option_file, parse_geometry

KEYS = Path("/restored/keys")


def database(**changes: object) -> Database:
    return Database.model_validate(
        {
            "server_version": "10.11.6",
            "tool_version": "10.11.6",
            "server_id": 1,
            "from_lsn": "0",
            "to_lsn": "1",
            "last_lsn": "1",
            "binlog_file": None,
            "binlog_position": None,
            "gtid_position": "",
            "gtid_state": "",
            "encrypted": True,
            "key_file": "/etc/mysql/keys.enc",
            "filekey_file": "/etc/mysql/keys.key",
            "tables": (),
            **changes,
        }
    )


def test_the_geometry_is_kept_and_all_else_is_passed_over() -> None:
    text = """
# The server
[mysqld]
innodb_page_size=16384
innodb-data-file-path = ibdata1:12M;ibdata2:50M:autoextend
innodb_undo_tablespaces="3"
innodb_undo_directory=/etc
plugin_load=evil.so
plugin_dir=/home/evil
init_file=/home/evil.sql
datadir=/var/lib/mysql
file_key_management_filename=/etc/shadow
"""
    assert parse_geometry(text).words() == [
        "--innodb-data-file-path=ibdata1:12M;ibdata2:50M:autoextend",
        "--innodb-page-size=16384",
        "--innodb-undo-tablespaces=3",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "innodb_page_size=16384 --plugin-load=evil",
        "innodb_data_file_path=../../etc/passwd:12M",
        "innodb_data_file_path=/dev/sda:1Mraw",
        "innodb_data_file_path=",
        "innodb_checksum_algorithm=evil",
        "innodb_undo_tablespaces=-1",
        "file_key_management_encryption_algorithm=rot13",
    ],
)
def test_a_value_that_no_such_option_has_is_refused(line: str) -> None:
    with pytest.raises(IntegrityError):
        parse_geometry(line)


def test_encryption_uses_the_restored_keys_and_the_cipher_of_the_backup() -> None:
    geometry = parse_geometry("file_key_management_encryption_algorithm=AES_CTR")
    assert encryption_words(database(), geometry, KEYS) == [
        "--plugin-load=file_key_management",
        "--file-key-management-filename=/restored/keys/etc/mysql/keys.enc",
        "--file-key-management-encryption-algorithm=aes_ctr",
        "--file-key-management-filekey=FILE:/restored/keys/etc/mysql/keys.key",
    ]


def test_without_encryption_no_plugin_is_loaded() -> None:
    assert datadir_words(database(encrypted=False), Geometry(), KEYS) == []


def test_what_is_written_to_an_encrypted_database_from_now_on_is_encrypted() -> None:
    assert "--innodb-encrypt-tables=ON" in datadir_words(database(), Geometry(), KEYS)


def test_an_encrypted_database_without_a_key_file_is_refused() -> None:
    with pytest.raises(OpsError, match="names no key file"):
        encryption_words(database(key_file=None), Geometry(), KEYS)


@pytest.mark.parametrize("path", ["etc/keys", "/etc/../../keys", "", "//../x"])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(IntegrityError):
        below(KEYS, path)


def test_an_option_file_quotes_only_what_needs_it() -> None:
    words = ["--plugin-load=file_key_management", "--skip-networking", "--datadir=/a b/#c"]
    assert option_file("mysqld", words) == (
        '[mysqld]\nplugin_load=file_key_management\nskip_networking\ndatadir="/a b/#c"\n'
    )
