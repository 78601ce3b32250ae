"""Files with secrets are recognised wherever they lie, and are in no data archive."""

import os
from pathlib import Path

import pytest

from backup.keys import OPTION_SECRET, PRIVATE_KEY, Secrets, find_secrets
from backup.tree import TreeOptions, Walk
from opsctl.core.errors import OpsError

PEM = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def write(root: Path, path: str, text: str = "x") -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def declared(root: Path, *files: str, directories: tuple[str, ...] = ()) -> Secrets:
    return find_secrets(root, {Path(file): root for file in files}, map(Path, directories))


def walked(root: Path, secrets: Secrets, options: TreeOptions | None = None) -> list[str]:
    """The files and links that a data archive of /srv would hold."""
    found = []
    for each in Walk(root, [Path("/srv")], secrets, options or TreeOptions()):
        if each.descriptor >= 0:
            os.close(each.descriptor)
        if each.type != "directory":
            found.append(str(each.path))
    return found


def paths(secrets: Secrets) -> list[str]:
    return [str(path) for path in secrets.paths()]


def test_a_declared_file_and_the_links_to_it_are_secret(tmp_path: Path) -> None:
    write(tmp_path, "/srv/archive/key1.pem")
    write(tmp_path, "/srv/index.php")
    (tmp_path / "srv/live").mkdir()
    (tmp_path / "srv/live/key.pem").symlink_to("../archive/key1.pem")
    secrets = declared(tmp_path, "/srv/live/key.pem")
    assert walked(tmp_path, secrets) == ["/srv/index.php"]
    assert paths(secrets) == ["/srv/archive/key1.pem", "/srv/live/key.pem"]


def test_another_name_of_a_declared_file_is_secret(tmp_path: Path) -> None:
    os.link(write(tmp_path, "/srv/secret.ini"), tmp_path / "srv/copy.ini")
    secrets = declared(tmp_path, "/srv/secret.ini")
    assert walked(tmp_path, secrets) == []
    assert paths(secrets) == ["/srv/copy.ini", "/srv/secret.ini"]


@pytest.mark.parametrize("name", ["wp-config.php", "app-config.php", ".env", "privkey.pem", "privkey12.pem"])
def test_files_of_well_known_names_are_secret_without_being_declared(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"/srv/deep/{name}")
    secrets = declared(tmp_path)
    assert walked(tmp_path, secrets) == []
    assert paths(secrets) == [f"/srv/deep/{name}"]


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        "\n" + PEM,
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    ],
)
def test_a_file_that_begins_with_a_private_key_is_secret_whatever_its_name(tmp_path: Path, text: str) -> None:
    write(tmp_path, "/srv/harmless.txt", text)
    secrets = declared(tmp_path)
    assert walked(tmp_path, secrets) == []
    assert paths(secrets) == ["/srv/harmless.txt"]


def test_a_certificate_is_no_secret_and_a_key_behind_it_is_one_where_keys_are_sought_anywhere(tmp_path: Path) -> None:
    write(tmp_path, "/srv/cert.pem", CERTIFICATE)
    write(tmp_path, "/srv/combined.pem", CERTIFICATE * 100 + PEM)
    secrets = declared(tmp_path)
    assert walked(tmp_path, secrets, TreeOptions(secret=PRIVATE_KEY)) == ["/srv/cert.pem"]
    assert paths(secrets) == ["/srv/combined.pem"]


def test_code_that_only_speaks_of_private_keys_is_no_secret(tmp_path: Path) -> None:
    write(tmp_path, "/srv/RSA.php", f"<?php $example = '{PEM}';")
    assert walked(tmp_path, declared(tmp_path)) == ["/srv/RSA.php"]


def test_everything_below_a_directory_of_secrets_is_secret(tmp_path: Path) -> None:
    write(tmp_path, "/srv/secrets/deep/backup.password")
    secrets = declared(tmp_path, directories=("/srv/secrets",))
    assert walked(tmp_path, secrets) == []
    assert paths(secrets) == ["/srv/secrets/deep/backup.password"]


def test_what_strangers_upload_is_never_guessed_at(tmp_path: Path) -> None:
    write(tmp_path, "/srv/uploads/wp-config.php")
    write(tmp_path, "/srv/uploads/key.txt", PEM)
    options = TreeOptions(uploads=Path("/srv/uploads"))
    assert walked(tmp_path, declared(tmp_path), options) == ["/srv/uploads/key.txt", "/srv/uploads/wp-config.php"]


def test_a_declared_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OpsError) as raised:
        declared(tmp_path, "/srv/typo.php")
    assert raised.value.where == "/srv/typo.php"


def test_a_file_outside_of_the_root_keeps_its_place(tmp_path: Path) -> None:
    outside = write(tmp_path, "/elsewhere/keys")
    root = tmp_path / "root"
    root.mkdir()
    secrets = find_secrets(root, {outside: Path("/")}, ())
    assert secrets.paths() == (outside,)
    assert secrets.place(outside) == outside


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("[client]\nuser = root\npassword = s3cret\n", True),
        ("[client]\n  loose-password='x'\n", True),
        ("[mariadbd]\nfile_key_management_filekey = s3cret\n", True),
        ("[mariadbd]\nfile-key-management-filekey = FILE:/etc/mysql/keyfile.key\n", False),
        ("[client]\npassword =\n#password = old\nskip-password\n", False),
        ("[mariadbd]\nstrict-password-validation = ON\n", False),
    ],
)
def test_an_option_file_with_a_password_is_secret(tmp_path: Path, text: str, secret: bool) -> None:
    write(tmp_path, "/srv/debian.cnf", text)
    secrets = declared(tmp_path)
    assert walked(tmp_path, secrets, TreeOptions(secret=OPTION_SECRET)) == ([] if secret else ["/srv/debian.cnf"])
    assert paths(secrets) == (["/srv/debian.cnf"] if secret else [])
