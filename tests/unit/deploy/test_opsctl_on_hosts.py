"""opsctl on the hosts: its settings follow from the inventory, and opsctl itself takes them."""

import tomllib
from pathlib import Path

import pytest

from opsctl.core.errors import SettingsError
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.settings import Settings
from tests.unit.deploy.test_inventory import DOCUMENTED, files, load
from tests.unit.deploy.test_program import wheels

NOBODY = f"age1{'putyourownrecipienthere':x<58}"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"
OFFSITE = f"""
[[repositories]]
name = "offsite"
kind = "sftp"
host = "backup.example.net"
user = "acme"
host_keys = ["{HOST_KEY}"]
path = "/backups"
"""


def described(directory: Path, more: str = OFFSITE) -> str:
    (directory / "wheels").mkdir(exist_ok=True)
    carried = wheels(directory / "wheels", "opsctl")
    recipients = f'[recipients]\ndata = ["{NOBODY}"]\nkeys = ["{NOBODY}"]\n'
    return f'{DOCUMENTED}\n[opsctl]\nwheels = "{carried}"\n{recipients}{more}'


def settings_of(inventory: Inventory) -> Settings:
    text = files(inventory)["/etc/opsctl/opsctl.toml"].data.decode()
    return Settings.model_validate(tomllib.loads(text))


def test_the_settings_of_a_host_are_settings(tmp_path: Path) -> None:
    settings = settings_of(load(tmp_path, described(tmp_path)))
    assert settings.trust.signer == "web1@acme"
    assert [(each.name, each.kind) for each in settings.repositories] == [("local", "directory"), ("offsite", "sftp")]
    assert settings.require_repository("offsite").model_dump()["key_file"] == Path("/etc/opsctl/offsite_key")
    assert {site.name for site in settings.sites} == {"blog", "api"}
    assert [visit.url for visit in settings.visits] == ["https://blog.acme.example/", "https://api.acme.example/"]
    assert settings.health.units[-1] == "api.service"
    assert settings.schedule.user == "mysql"


def test_what_the_inventory_says_itself_goes_before_the_rest_key_by_key(tmp_path: Path) -> None:
    more = '[opsctl.settings.schedule]\nuser = "root"\n[opsctl.settings.retention]\ndaily = 3\n'
    site = 'domains = ["blog.acme.example"]\n'
    of_site = (
        f'{site}backup = {{ config = "/srv/blog/shared/wp-config.php" }}\nvisit = {{ text = "it\'s \\"here\\"" }}\n'
    )
    settings = settings_of(load(tmp_path, described(tmp_path, more).replace(site, of_site)))
    assert (settings.schedule.user, settings.retention.daily) == ("root", 3)
    assert settings.sites[0].config == Path("/srv/blog/shared/wp-config.php")
    assert settings.sites[0].paths == (Path("/srv/blog"),)
    assert settings.visits[0].text == 'it\'s "here"'


def test_without_opsctl_nothing_of_it_is_touched(tmp_path: Path) -> None:
    assert not [path for path in files(load(tmp_path, DOCUMENTED)) if path.startswith("/etc/opsctl/")]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[repositories]]\nname = "local"\nkind = "sftp"\n', "two of one name: repository local"),
        ('[[repositories]]\nname = "far"\nkind = "s3"\nbucket = "acme"\n', "name a secret beside the inventory"),
        (
            '[[repositories]]\nname = "far"\nkind = "sftp"\nkey_file = "/root/key"\n',
            "key_file is for opsctl",
        ),
        ('[[repositories]]\nname = "far"\nkind = "directory"\npath = "/mnt"\n', "kind"),
    ],
)
def test_a_repository_that_could_not_be_opened_is_named(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, described(tmp_path, more))


def test_opsctl_without_recipients_could_back_nothing_up(tmp_path: Path) -> None:
    text = described(tmp_path)
    with pytest.raises(SettingsError, match="it takes both"):
        load(tmp_path, text[: text.index("[recipients]")])
