"""Certificates from a real authority: issued, renewed, issued anew for other names, refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.authority import DIRECTORY, Authority
from tests.hosts.host import Host
from tests.hosts.operators import Operator

SITES = """
[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["www.acme.example", "acme.example"]

[[sites]]
name = "late"
kind = "static"
host = "web1"
domains = ["late.acme.example"]

[certificates]
email = "hostmaster@acme.example"
agree = true
directory = "{directory}"
trust = '''
{trust}'''
"""
LATE = "have a certificate issued for late.acme.example"


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    return hosts()


@pytest.fixture(scope="module")
def authority(running: Host) -> Authority:
    made = Authority(running)
    made.names("www.acme.example", "acme.example")
    return made


@pytest.fixture(scope="module")
def operator(running: Host, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator.make(tmp_path_factory.mktemp("operator"))
    made.describe(running, SITES.format(directory=DIRECTORY, trust=authority.trust))
    return made


@pytest.fixture(scope="module")
def first(operator: Operator) -> dict[str, Any]:
    """What the first apply says: not every name leads to the host yet."""
    operator.plan("--as", "root")
    code, done = operator.opsctl("deploy", "apply", operator.directory / "web1.plan.json")
    assert code == 3, done
    return done


def believed(host: Host, authority: Authority, name: str) -> bool:
    """Whether a visitor who trusts the authority is shown a certificate for the name that it has issued."""
    words = ("--silent", "--output", "/dev/null", "--cacert", authority.root, "--resolve", f"{name}:443:127.0.0.1")
    return host.run("curl", *words, f"https://{name}/", check=False).returncode == 0


def serial(host: Host, name: str) -> str:
    """The number of the certificate that is shown for a name."""
    asked = f"openssl s_client -connect 127.0.0.1:443 -servername {name} </dev/null 2>/dev/null"
    return host.shell(f"{asked} | openssl x509 -noout -serial")


def wait_until_renewed(host: Host, name: str, before: str) -> None:
    """nginx goes on with the old one for a moment after it was told to reload."""
    asked = f"openssl s_client -connect 127.0.0.1:443 -servername {name} </dev/null 2>/dev/null"
    loop = f"until test $({asked} | openssl x509 -noout -serial) != {before.strip()}; do sleep 0.1; done"
    host.run("timeout", "30", "sh", "-euc", loop)


def test_every_name_of_a_site_is_certified_by_the_authority(
    running: Host, authority: Authority, first: dict[str, Any]
) -> None:
    assert believed(running, authority, "www.acme.example")
    assert believed(running, authority, "acme.example")
    assert running.run("readlink", "/etc/ssl/opsctl/brochure/current").stdout == "/etc/letsencrypt/live/brochure\n"


def test_a_name_that_is_refused_undoes_nothing_and_is_told_loudly(
    running: Host, authority: Authority, operator: Operator, first: dict[str, Any]
) -> None:
    assert first["result"] == "applied"
    [missed] = first["hosts"][0]["missed"]
    assert missed["what"] == LATE
    assert "late.acme.example" in missed["why"]
    assert not believed(running, authority, "late.acme.example")
    words = ("--silent", "--insecure", "--head", "--resolve", "late.acme.example:443:127.0.0.1")
    assert "strict-transport-security" in running.run("curl", *words, "https://late.acme.example/").stdout
    assert [change["what"] for change in operator.plan()] == [LATE]


def test_it_is_issued_once_the_name_leads_to_the_host_and_anew_for_other_names(
    running: Host, authority: Authority, operator: Operator, first: dict[str, Any]
) -> None:
    before = {name: serial(running, name) for name in ("late.acme.example", "acme.example")}
    authority.names("late.acme.example", "shop.acme.example")
    text = operator.inventory.read_text()
    operator.inventory.write_text(text.replace('"acme.example"]', '"acme.example", "shop.acme.example"]'))
    wanted = "have a certificate issued for www.acme.example, acme.example, shop.acme.example"
    assert {change["what"] for change in operator.plan() if change["verb"] == "run"} == {LATE, wanted}
    code, done = operator.opsctl("deploy", "apply", operator.directory / "web1.plan.json")
    assert (code, done["result"], done["hosts"][0]["missed"]) == (0, "applied", [])
    for name, old in before.items():
        wait_until_renewed(running, name, old)
        assert believed(running, authority, name)
    assert believed(running, authority, "shop.acme.example")
    assert operator.plan() == []


def test_the_timer_s_own_service_renews_and_nginx_shows_the_new_one(
    running: Host, authority: Authority, operator: Operator, first: dict[str, Any]
) -> None:
    assert running.run("systemctl", "is-active", "certbot.timer").stdout == "active\n"
    before = serial(running, "acme.example")
    due = "sed -i '1i renew_before_expiry = 20 years' /etc/letsencrypt/renewal/brochure.conf"
    running.shell(f"{due}; systemctl start certbot.service")
    wait_until_renewed(running, "acme.example", before)
    assert believed(running, authority, "acme.example")
    running.shell("sed -i '/^renew_before_expiry/d' /etc/letsencrypt/renewal/brochure.conf")
    assert operator.plan() == []


def test_the_authority_s_account_stays_on_the_host(operator: Operator, running: Host, first: dict[str, Any]) -> None:
    account = running.shell("cat /etc/letsencrypt/accounts/*/*/*/private_key.json")
    assert '"d"' in account
    kept = Path(operator.directory / "web1.plan.json").read_text()
    for secret in (account, running.read("/etc/letsencrypt/archive/late/privkey1.pem")):
        assert secret[100:140] not in kept


def test_without_an_authority_a_site_goes_back_to_its_own_certificate(
    running: Host, authority: Authority, operator: Operator, first: dict[str, Any]
) -> None:
    text = operator.inventory.read_text()
    operator.inventory.write_text(text[: text.index("[certificates]")])
    changes = {change["what"]: change["verb"] for change in operator.plan()}
    assert changes["/etc/letsencrypt/renewal-hooks/deploy/opsctl"] == "remove"
    assert changes["/etc/ssl/opsctl/late/current"] == "change"
    before = serial(running, "late.acme.example")
    assert operator.opsctl("deploy", "apply", operator.directory / "web1.plan.json")[0] == 0
    wait_until_renewed(running, "late.acme.example", before)
    assert not believed(running, authority, "late.acme.example")
    assert operator.plan() == []
