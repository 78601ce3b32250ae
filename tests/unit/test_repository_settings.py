"""Settings of repositories: three kinds, each with its own keys."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from backup.settings import DirectoryRepository, S3Repository, SftpRepository
from backup.stores import open_store
from opsctl.core.errors import SettingsError
from opsctl.core.store.directory import DirectoryStore
from opsctl.settings import example_file, load_settings

MINIMAL = """
[stack]
name = "acme"
[trust]
signer = "host@acme"
signing_key = "/etc/opsctl/signing_key"
allowed_signers = "/etc/opsctl/allowed_signers"
"""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2VrZXlmYWtla2V5ZmFrZWtleWZha2VrZXlmYWtl"
SFTP = f"""
[[repositories]]
name = "offsite"
kind = "sftp"
host = "backup.example.net"
user = "acme"
key_file = "/etc/opsctl/key"
host_keys = ["{HOST_KEY}"]
path = "/backups"
"""
S3 = """
[[repositories]]
name = "immutable"
kind = "s3"
bucket = "acme-backups"
endpoint = "https://s3.example.net"
credentials_file = "/etc/opsctl/credentials"
"""
LOCAL = """
[[repositories]]
name = "local"
path = "/var/backups/opsctl"
"""


def _mistakes(tmp_path: Path, text: str) -> str:
    file = tmp_path / "opsctl.toml"
    file.write_text(MINIMAL + text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    return caught.value.message


def test_repositories_of_all_kinds_stand_side_by_side_and_a_directory_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "opsctl.toml"
    file.write_text(MINIMAL + LOCAL + SFTP + S3)
    local, offsite, immutable = load_settings(file).settings.repositories
    assert isinstance(local, DirectoryRepository)
    assert isinstance(offsite, SftpRepository)
    assert isinstance(immutable, S3Repository)
    assert (local.off_host, offsite.off_host, immutable.off_host) == (False, True, True)
    assert isinstance(open_store(local), DirectoryStore)
    assert open_store(offsite).where == "sftp://acme@backup.example.net/backups"
    assert open_store(immutable).where == "s3://acme-backups at https://s3.example.net"


def test_who_keeps_archives_in_a_directory_does_not_wait_for_ssh_and_s3() -> None:
    program = "import sys, backup.stores, opsctl.overview.wire; print(*{'paramiko', 'botocore'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_mistake_names_the_keys_of_its_own_kind(tmp_path: Path) -> None:
    message = _mistakes(tmp_path, LOCAL + SFTP.replace('user = "acme"', 'usr = "acme"'))
    assert "[repositories #2] lacks 'user': The account there." in message
    assert "[repositories #2] has no key 'usr'; did you mean 'user'?" in message


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    message = _mistakes(tmp_path, LOCAL + SFTP.replace('kind = "sftp"', 'kind = "ftp"'))
    assert "[repositories #2]: kind is none of: directory, sftp, s3" in message


@pytest.mark.parametrize(
    "keys",
    [
        "[]",
        '["SHA256:abc"]',
        '["ssh-ed25519 abc"]',
        f'["{HOST_KEY[:-1]}"]',
        f'["{HOST_KEY.replace("ed25519", "rsa", 1)}"]',
        f'["{HOST_KEY.replace("ed25519", "dss", 1)}"]',
    ],
)
def test_a_host_key_that_cannot_be_pinned_is_a_mistake(tmp_path: Path, keys: str) -> None:
    message = _mistakes(tmp_path, SFTP.replace(f'["{HOST_KEY}"]', keys))
    assert "repositories #1" in message
    assert "host_keys" in message


@pytest.mark.parametrize("endpoint", ["s3.example.net", "https://key:secret@s3.example.net", "https://x/bucket"])
def test_an_endpoint_is_an_address_and_nothing_more(tmp_path: Path, endpoint: str) -> None:
    message = _mistakes(tmp_path, S3.replace("https://s3.example.net", endpoint))
    assert "[repositories #1] endpoint" in message
    assert "secret" not in message


def test_the_generated_example_shows_every_kind() -> None:
    text = example_file()
    assert all(f'kind = "{kind}"' in text for kind in ("directory", "sftp", "s3"))


def test_every_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "repositories.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    file = tmp_path / "opsctl.toml"
    file.write_text(MINIMAL + "".join(examples))
    found = load_settings(file).settings.repositories
    assert [repository.kind for repository in found] == ["directory", "sftp", "s3"]


def test_on_a_host_the_first_repository_is_a_directory(tmp_path: Path) -> None:
    assert "the first one has to be a directory" in _mistakes(tmp_path, SFTP + LOCAL)
    assert "the first one has to be a directory" in _mistakes(tmp_path, '[machine]\nplace = "all"\n' + S3)
    file = tmp_path / "drill.toml"
    file.write_text(MINIMAL + '[machine]\nplace = "drill_host"\n' + SFTP + S3)
    settings = load_settings(file).settings
    assert settings.require_repository().name == "offsite"
    with pytest.raises(SettingsError, match="no directory of this machine"):
        _ = settings.local_repository


def test_two_repositories_cannot_have_one_name(tmp_path: Path) -> None:
    assert "two repositories have one name" in _mistakes(tmp_path, LOCAL + SFTP.replace("offsite", "local"))
