"""Inventories: what is wrong with one is said at once, and what it says is all on the host."""

import re
from pathlib import Path

import pytest

from opsctl.core.errors import SettingsError
from opsctl.deploy.desired.database import server_id
from opsctl.deploy.desired.templates import table
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.inventory.inventory import Inventory, load_inventory
from opsctl.deploy.resources import Absent, File, Script, Unit

PROJECT = Path(__file__).parents[3]
DOCUMENTED = re.findall(r"^```toml\n(.*?)^```$", (PROJECT / "docs/deploy.md").read_text(), re.MULTILINE | re.DOTALL)[0]


def load(directory: Path, text: str) -> Inventory:
    path = directory / "acme.toml"
    path.write_text(text)
    return load_inventory(path, ())


def files(inventory: Inventory) -> dict[str, File]:
    what = desired(inventory, inventory.hosts[0])
    return {each.path: each for each in what.resources if isinstance(each, File)}


def test_the_documented_one_is_right_and_describes_a_host(tmp_path: Path) -> None:
    found = files(load(tmp_path, DOCUMENTED))
    assert b"server_name blog.acme.example;" in found["/etc/nginx/sites-available/blog.conf"].data
    assert b"proxy_pass http://127.0.0.1:8101;" in found["/etc/nginx/sites-available/api.conf"].data
    assert b"ip saddr 198.51.100.0/24 tcp dport 22 accept" in found["/etc/nftables.conf"].data
    assert "/etc/php/8.2/fpm/pool.d/blog.conf" in found
    assert "/etc/php/8.2/fpm/pool.d/api.conf" not in found
    assert found["/home/ops/.ssh/authorized_keys"].guarded


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('region = "de-fsn1"\n', "", "region"),
        ('region = "de-fsn1"', 'regoin = "de-fsn1"', "region"),
        ('kind = "wordpress"', 'kind = "drupal"', "kind"),
        ('host = "web1"', 'host = "web2"', "sites lie on hosts that are not there: web2"),
        ('name = "api"', 'name = "blog"', "two of one name: site blog"),
        ("blog.acme.example", "api.acme.example", "two of one name: domain api.acme.example"),
        ("port = 8101\n", "", "has a port and a command"),
        ("blog.acme.example", "blog.acme.example; } evil {", "domains"),
        ('name = "blog"', 'name = "../x"', "name"),
        ('Z"\n', '"\n', "security_expires"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in DOCUMENTED
    with pytest.raises(SettingsError, match=re.escape(said)):
        load(tmp_path, DOCUMENTED.replace(old, new))


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such inventory"):
        load_inventory(tmp_path / "other.toml", ())


def test_a_server_s_id_never_changes_and_fits(tmp_path: Path) -> None:
    found = load(tmp_path, DOCUMENTED)
    assert server_id(found, found.hosts[0]) == server_id(found, found.hosts[0])
    assert 1 <= server_id(found, found.hosts[0]) <= 2**31


def test_every_action_and_check_of_the_table_concerns_a_file(tmp_path: Path) -> None:
    actions = {name for entry in table().files for name in entry.then}
    assert actions <= {action.name for action in table().actions}
    for check in table().checks:
        assert any(entry.path.startswith(check.concerns) for entry in table().files), check.name


def test_every_template_is_in_the_table() -> None:
    folder = PROJECT / "deploy_templates"
    there = {f"/{path.relative_to(folder)}".removesuffix(".j2") for path in folder.rglob("*.j2")}
    assert there == {entry.template or entry.path for entry in table().files}


def test_what_all_sites_share_is_said_once_and_one_may_differ(tmp_path: Path) -> None:
    text = DOCUMENTED.replace('[[sites]]\nname = "blog"', '[[sites]]\nname = "blog"\ncsp = "default-src *"')
    found = load(tmp_path, text + "\n[defaults.site]\ncsp = \"default-src 'none'\"\n[defaults.host]\nport = 2222\n")
    assert found.hosts[0].port == 2222
    assert {site.name: site.csp for site in found.sites} == {"blog": "default-src *", "api": "default-src 'none'"}


def test_an_inventory_that_is_no_toml_is_not_called_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the inventory is no valid TOML: .*line 2") as caught:
        load(tmp_path, '[stack]\nname = "acme\n')
    assert caught.value.hint == "an example of each part: docs/deploy.md"


def test_a_mistake_in_the_defaults_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="prot"):
        load(tmp_path, DOCUMENTED + "\n[defaults.host]\nprot = 2222\n")


def test_a_file_is_there_when_the_host_has_its_feature_and_must_not_be_otherwise(tmp_path: Path) -> None:
    path = "/etc/systemd/timesyncd.conf.d/opsctl.conf"
    plain = load(tmp_path, DOCUMENTED)
    assert path not in files(plain)
    what = desired(plain, plain.hosts[0])
    assert [each.then for each in what.resources if isinstance(each, Absent) and each.path == path] == [
        ("restart clock",)
    ]
    asked = files(load(tmp_path, DOCUMENTED + '\n[time]\nservers = ["ntp.acme.example", "2001:db8::1"]\n'))
    assert b"NTP=ntp.acme.example 2001:db8::1\n" in asked[path].data


CERTIFICATES = """
[certificates]
email = "hostmaster@acme.example"
agree = true
"""


def test_certificates_are_issued_for_all_names_of_a_site_once_the_terms_are_agreed_to(tmp_path: Path) -> None:
    plain = load(tmp_path, DOCUMENTED)
    assert not [each for each in desired(plain, plain.hosts[0]).resources if isinstance(each, Script) and each.later]
    asked = load(tmp_path, DOCUMENTED + CERTIFICATES)
    issued = [each for each in desired(asked, asked.hosts[0]).resources if isinstance(each, Script) and each.later]
    assert [each.wanted.splitlines()[1] for each in issued] == ["blog.acme.example", "api.acme.example"]
    assert "/etc/letsencrypt/renewal-hooks/deploy/opsctl" in files(asked)
    with pytest.raises(SettingsError, match="agree = true"):
        load(tmp_path, DOCUMENTED + CERTIFICATES.replace("true", "false"))
    with pytest.raises(SettingsError, match="directory"):
        load(tmp_path, DOCUMENTED + CERTIFICATES + 'directory = "http://ca.example/"\n')


def test_a_private_authority_is_believed_by_its_own_certificates_at_renewals_too(tmp_path: Path) -> None:
    trust = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    found = files(load(tmp_path, f'{DOCUMENTED}{CERTIFICATES}trust = """\n{trust}"""'))
    assert found["/etc/ssl/opsctl/authority.pem"].data == trust.encode()
    assert b"=/etc/ssl/opsctl/authority.pem\n" in found["/etc/systemd/system/certbot.service.d/opsctl.conf"].data


def test_behind_an_edge_only_it_reaches_the_web_server_and_only_it_is_believed(tmp_path: Path) -> None:
    found = files(load(tmp_path, DOCUMENTED + '\n[edge]\nprovider = "cloudflare"\ndirect = ["198.51.100.7"]\n'))
    rules, web = found["/etc/nftables.conf"].data.decode(), found["/etc/nginx/nginx.conf"].data.decode()
    assert "ip saddr 104.16.0.0/13 tcp dport { 80, 443 } accept" in rules
    assert "ip6 saddr 2606:4700::/32 tcp dport { 80, 443 } accept" in rules
    assert "ip saddr 198.51.100.7 tcp dport { 80, 443 } accept" in rules
    assert "\n    tcp dport { 80, 443 } accept" not in rules
    assert "set_real_ip_from 104.16.0.0/13;" in web
    assert "198.51.100.7" not in web
    assert "real_ip_header CF-Connecting-IP;" in web


def test_what_an_inventory_says_of_its_edge_goes_before_what_is_known_of_the_provider(tmp_path: Path) -> None:
    own = '\n[edge]\nprovider = "cloudflare"\nnetworks = ["192.0.2.0/24"]\nheader = "X-Real-IP"\n'
    web = files(load(tmp_path, DOCUMENTED + own))["/etc/nginx/nginx.conf"].data.decode()
    assert re.findall("set_real_ip_from (.*);", web) == ["192.0.2.0/24"]
    assert "real_ip_header X-Real-IP;" in web


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[edge]", "a provider or networks"),
        ('[edge]\nnetworks = ["192.0.2.1/24"]', "has host bits set"),
        ('[edge]\nnetworks = ["192.0.2.0/24"]\nheader = "X Y;"', "header"),
        ('[defaults.site]\nallow = [{ path = "/a b", networks = ["192.0.2.1"] }]', "path"),
        ('[defaults.site]\nallow = [{ path = "/admin/", networks = ["192.0.2.1"] }]', "path"),
        ('[defaults.site]\nallow = [{ path = "/admin", networks = [] }]', "networks"),
        ('[defaults.site]\nallow = [{ path = "/", networks = ["192.0.2.1"] }]', "the host itself asks for /"),
        ('[time]\nservers = ["ntp;"]', "servers"),
    ],
)
def test_a_mistake_in_what_may_be_left_out_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, f"{DOCUMENTED}\n{text}\n")


def test_a_unit_that_a_condition_of_its_own_holds_back_need_not_run_but_has_to_be_enabled() -> None:
    unit = Unit(name="clock.service")
    held = {"enabled": True, "active": False, "held": True, "masked": False}
    assert not unit.differs(held)
    assert unit.differs({**held, "held": False})
    assert unit.differs({**held, "enabled": False})
    assert Unit(name="clock.service", active=False).differs({**held, "active": True})


LOGS = '\n[logs]\nhost = "web1"\ndays = 90\n'


def test_logs_are_kept_in_the_region_by_a_host_that_is_there(tmp_path: Path) -> None:
    assert load(tmp_path, DOCUMENTED + LOGS).logs is not None
    elsewhere = DOCUMENTED.replace('name = "web1"\n', 'name = "web1"\nregion = "us-east"\n')
    with pytest.raises(SettingsError, match="the logs would leave the region: 'web1' is in us-east"):
        load(tmp_path, elsewhere + LOGS)
    with pytest.raises(SettingsError, match="on a host that is not there: web9"):
        load(tmp_path, DOCUMENTED + LOGS.replace("web1", "web9"))


def test_a_host_without_a_key_for_its_logs_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the key by which web1 sends its logs is missing") as caught:
        files(load(tmp_path, DOCUMENTED + LOGS))
    assert "opsctl deploy log-keys" in (caught.value.hint or "")


def test_a_whole_site_can_be_for_some_when_the_host_itself_is_one_of_them(tmp_path: Path) -> None:
    closed = '[defaults.site]\nallow = [{ path = "/", networks = ["2001:db8::/32", "127.0.0.1"] }]\n'
    conf = files(load(tmp_path, f"{DOCUMENTED}\n{closed}"))["/etc/nginx/sites-available/blog.conf"].data.decode()
    assert '"~^/" $opsctl_blog_1;' in conf
    beside = '[defaults.site]\nhealth = "/up?all=1"\nallow = [{ path = "/admin", networks = ["192.0.2.1"] }]\n'
    assert load(tmp_path, f"{DOCUMENTED}\n{beside}").sites[0].gates == (
        ("^(/index\\.php)?/admin(/|$)", ("192.0.2.1",)),
    )
