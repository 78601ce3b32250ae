"""A whole stack on a host, from its inventory: everything of it works, and a second plan is empty."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.core.runner_ssh import SshRunner
from opsctl.deploy.inventory import Inventory, load_inventory
from opsctl.deploy.plan import Plan, make_plan
from opsctl.deploy.remote import Agent
from opsctl.deploy.render import desired
from tests.hosts.host import Host

INVENTORY = """
[stack]
name = "acme"
region = "here"
residency = "EU"

[contacts]
security = "mailto:security@acme.example"
security_expires = "2027-06-30T00:00:00Z"

[access]
keys = ["{key}"]
ssh_from = ["{gateway}"]

[[hosts]]
name = "web1"
address = "{address}"
host_key = "{host_key}"
key_file = "{key_file}"

[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["www.acme.example", "acme.example"]

[[sites]]
name = "blog"
kind = "wordpress"
host = "web1"
domains = ["blog.acme.example"]

[[sites]]
name = "api"
kind = "python"
host = "web1"
domains = ["api.acme.example"]
port = 8101
command = "/usr/bin/python3 -m http.server --bind 127.0.0.1 8101"
"""


def inventory_of(host: Host, directory: Path) -> Inventory:
    path = directory / "acme.toml"
    path.write_text(
        INVENTORY.format(
            key=(host.place / "identity.pub").read_text().strip(),
            gateway=host.gateway,
            address=host.address,
            host_key=" ".join(host.host_key.split()[:2]),
            key_file=host.identity,
        )
    )
    return load_inventory(path)


def planned(inventory: Inventory, user: str) -> tuple[Agent, Plan]:
    [host] = inventory.hosts
    agent = Agent(SshRunner(host.account(user)), sudo=user != "root")
    what = desired(inventory, host)
    seen = agent.observe(what.resources)
    return agent, make_plan(what, seen, stack="acme", host="web1", host_key=host.host_key, by="operator@here")


@pytest.fixture(scope="module")
def inventory(running: Host, tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return inventory_of(running, tmp_path_factory.mktemp("inventory"))


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    return hosts()


@pytest.fixture(scope="module")
def deployed(running: Host, inventory: Inventory) -> Host:
    """Deployed as root of the bare host, and confirmed by the account that there is from then on."""
    agent, plan = planned(inventory, "root")
    assert agent.apply(plan, who={"who": "operator@here", "why": "a test"}, revert_s=60)["confirm"] is True
    [host] = inventory.hosts
    Agent(SshRunner(host.account("ops")), sudo=True).confirm(plan.id)
    return running


def fetch(host: Host, name: str, path: str = "/", *more: str) -> str:
    words = ("--silent", "--insecure", "--resolve", f"{name}:443:127.0.0.1", *more)
    return host.run("curl", *words, f"https://{name}{path}").stdout


def test_a_second_plan_is_empty(deployed: Host, inventory: Inventory) -> None:
    assert planned(inventory, "ops")[1].changes == ()


def test_every_site_answers_under_its_name_over_tls(deployed: Host) -> None:
    deployed.shell("echo hello >/srv/brochure/current/public/index.html")
    deployed.shell("echo '<?php echo get_current_user(), posix_getuid();' >/srv/blog/current/public/index.php")
    assert fetch(deployed, "acme.example") == "hello\n"
    headers = fetch(deployed, "acme.example", "/", "--head").lower()
    for name in ("strict-transport-security", "content-security-policy", "x-frame-options", "referrer-policy"):
        assert f"\n{name}: " in headers
    assert "Contact: mailto:security@acme.example" in fetch(deployed, "acme.example", "/.well-known/security.txt")


def test_a_name_that_is_not_here_gets_nothing(deployed: Host) -> None:
    done = deployed.run(
        "curl", "-sk", "--resolve", "other.example:443:127.0.0.1", "https://other.example/", check=False
    )
    assert done.returncode != 0


def test_php_runs_as_the_site_and_sees_no_other(deployed: Host) -> None:
    deployed.write(
        "/srv/blog/releases/first/public/who.php", "<?php echo exec('id -un'), is_readable('/srv/brochure/releases');"
    )
    assert fetch(deployed, "blog.acme.example", "/who.php") == "blog"


def test_a_site_logs_in_to_its_own_database_without_a_password(deployed: Host) -> None:
    assert deployed.run("mariadb", "-NBe", "SHOW DATABASES", user="blog").stdout == "blog\ninformation_schema\n"
    tables = "SELECT @@innodb_encrypt_tables, @@encrypt_binlog, @@log_bin, @@sync_binlog"
    assert deployed.run("mariadb", "-NBe", tables).stdout == "FORCE\t1\t1\t1\n"


def test_nobody_logs_in_as_root_or_with_a_password(deployed: Host, inventory: Inventory) -> None:
    effective = deployed.run("sshd", "-T").stdout
    for line in ("permitrootlogin no", "passwordauthentication no", "allowusers ops"):
        assert f"{line}\n" in effective


def test_only_what_visitors_and_operators_need_is_open(deployed: Host) -> None:
    rules = deployed.run("nft", "list", "ruleset").stdout
    assert "policy drop" in rules
    assert f"ip saddr {deployed.gateway} tcp dport 22 accept" in rules


def test_all_of_it_comes_back_after_a_reboot(deployed: Host, inventory: Inventory) -> None:
    deployed.reboot()
    assert planned(inventory, "ops")[1].changes == ()
    assert fetch(deployed, "acme.example") == "hello\n"
    assert "policy drop" in deployed.run("nft", "list", "ruleset").stdout
