"""A bare host becomes a whole stack, from its inventory and a key of root's."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.hosts.operators import Operator
from tests.hosts.visitors import fetch
from tests.integration.secrets.sentinels import Sentinels

SITES = """
[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["acme.example"]

[[sites]]
name = "blog"
kind = "wordpress"
host = "web1"
domains = ["blog.acme.example"]

[[sites]]
name = "shop"
kind = "codeigniter"
host = "web1"
domains = ["shop.acme.example"]

[[sites]]
name = "api"
kind = "python"
host = "web1"
domains = ["api.acme.example"]
port = 8101
command = "/usr/bin/python3 -m http.server --bind 127.0.0.1 8101"
"""
# Logs in as the Linux account that it runs as: there is no password anywhere.
PAGE = """<?php
$site = posix_getpwuid(posix_geteuid())['name'];
$database = new mysqli('localhost', $site, '', $site);
$database->query('CREATE TABLE IF NOT EXISTS visits (n INT)');
$database->query('INSERT INTO visits VALUES (1)');
echo $site, ' ', $database->query('SELECT COUNT(*) FROM visits')->fetch_row()[0] > 0 ? 'wrote' : 'lost', "\\n";
"""
# Installs something, as unattended-upgrades may at any time: whoever wants to do that, too, has to wait.
BUSY = """
import fcntl, glob, pathlib, time

def wait_for(word):
    while not any(b"apt-get" in text and word in text for text in map(words, glob.glob("/proc/[0-9]*/cmdline"))):
        time.sleep(0.05)

def words(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""

with open("/var/lib/dpkg/lock-frontend", "w") as frontend:
    fcntl.lockf(frontend, fcntl.LOCK_EX)
    with open("/var/lib/apt/lists/lock", "w") as lists:
        fcntl.lockf(lists, fcntl.LOCK_EX)
        pathlib.Path("/run/busy").touch()
        wait_for(b"update")
        time.sleep(1)
    wait_for(b"install")
    time.sleep(1)
"""
DEPLOYMENTS = "/var/lib/opsctl/deploy"
REVERT = "/etc/systemd/system/opsctl-revert.timer"


@pytest.fixture(scope="module")
def bare(bare_hosts: Callable[..., Host]) -> Host:
    return bare_hosts()


@pytest.fixture(scope="module")
def operator(bare: Host, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    operator = Operator.make(tmp_path_factory.mktemp("operator"))
    operator.describe(bare, SITES)
    return operator


def bootstrap(operator: Operator, *words: str, inventory: Path | None = None) -> tuple[int, dict[str, Any]]:
    found = inventory or operator.inventory
    return operator.opsctl("deploy", "bootstrap", found, "--why", "a new customer", *words)


def untouched(host: Host) -> bool:
    return host.shell("ls /var/lib/opsctl /home /usr/sbin/nginx 2>/dev/null || :") == "/home:\n"


def test_what_would_leave_no_key_of_the_operator_s_is_refused_before_anything(bare: Host, operator: Operator) -> None:
    ours = (bare.place / "identity.pub").read_text().split()[1]
    theirs = "AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"
    other = operator.inventory.with_name("other.toml")
    other.write_text(operator.inventory.read_text().replace(ours, theirs))
    code, error = bootstrap(operator, inventory=other)
    assert code == 2
    assert "no key of ops would be left that this machine has" in error["message"]
    code, document = operator.opsctl("deploy", "plan", other, "--as", "root")
    assert code == 2
    assert "no key of ops would be left" in document["hosts"][0]["error"]
    assert untouched(bare)


def test_a_dry_run_shows_what_would_be_made_and_makes_nothing(bare: Host, operator: Operator) -> None:
    code, document = bootstrap(operator, "--dry-run")
    assert (code, document["result"]) == (0, "planned")
    shown = [change["what"] for change in document["changes"]]
    assert shown[0].startswith("package ")
    assert "/etc/nginx/sites-enabled/default" in shown
    assert untouched(bare)


@pytest.fixture(scope="module")
def made(bare: Host, operator: Operator) -> Host:
    """Made of the bare host; nobody else has touched it."""
    assert bare.run("systemctl", "is-system-running", check=False).stdout == "running\n"
    for program in ("nginx", "mariadbd", "php", "sudo", "nft", "curl", "cron"):
        assert bare.run("which", program, check=False).returncode == 1
    bare.run("systemd-run", "--quiet", "--unit=busy", "python3", "-c", BUSY)
    bare.shell("until test -e /run/busy; do sleep 0.05; done")
    # What dpkg leaves when it is killed: apt refuses everything until that is finished.
    bare.shell("dpkg-query --status tzdata >/var/lib/dpkg/updates/0000")
    code, document = bootstrap(operator)
    assert (code, document.get("message"), document.get("result")) == (0, None, "made")
    assert bare.run("systemctl", "is-active", "busy", check=False).stdout == "inactive\n"
    assert [phase["name"] for phase in document["phases"]] == [
        "plan", "packages", "changes", "reloads", "health", "later", "confirmation", "second plan",
    ]  # fmt: skip
    for site in ("blog", "shop"):
        bare.write(f"/srv/{site}/releases/first/public/page.php", PAGE)
    bare.write("/srv/brochure/releases/first/public/index.html", "hello\n")
    bare.write("/srv/api/releases/first/page", "hello\n")
    bare.run("systemctl", "enable", "--now", "api")
    bare.shell("until ss -Hltn | grep -q :8101; do sleep 0.1; done")
    return bare


def serves(host: Host) -> None:
    """All sites answer over TLS; PHP reaches the database by its Linux account."""
    assert fetch(host, "acme.example") == "hello\n"
    assert fetch(host, "blog.acme.example", "/page.php") == "blog wrote\n"
    assert fetch(host, "shop.acme.example", "/page.php") == "shop wrote\n"
    assert "Directory listing" in fetch(host, "api.acme.example")


def test_all_sites_answer_and_nothing_is_left_to_change(made: Host, operator: Operator) -> None:
    serves(made)
    assert operator.plan() == []
    assert made.run("systemctl", "is-system-running", check=False).stdout == "running\n"


def test_nothing_was_ever_started_with_debian_s_own_settings(made: Host) -> None:
    assert made.run("test", "-e", "/usr/sbin/policy-rc.d", check=False).returncode == 1
    for unit, settings in (("nginx", "/etc/nginx/nginx.conf"), ("php8.2-fpm", "/etc/php/8.2/fpm/pool.d/blog.conf")):
        started = made.shell(f"systemctl show --timestamp=unix --property=ExecMainStartTimestamp --value {unit}")
        assert int(started.strip().removeprefix("@")) >= int(made.shell(f"stat --format=%Y {settings}"))


def test_only_keys_open_it_and_what_sudo_does_is_written_down(made: Host, operator: Operator) -> None:
    effective = made.run("sshd", "-T").stdout
    for line in ("permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no"):
        assert f"{line}\n" in effective
    assert "COMMAND=/usr/bin/python3" in made.read("/var/log/sudo-ops.log")
    upgrades = made.shell("unattended-upgrade --dry-run --debug 2>&1 | grep 'Allowed origins'")
    assert "origin=Debian,codename=bookworm" in upgrades


def test_a_package_that_somebody_removed_comes_back(made: Host, operator: Operator) -> None:
    made.shell("apt-get -qq remove --yes logrotate")
    assert [change["what"] for change in operator.plan()] == ["package logrotate"]
    operator.apply()
    assert operator.plan() == []
    assert made.run("systemctl", "is-active", "logrotate.timer").stdout == "active\n"


def test_it_is_the_same_after_a_reboot(made: Host, operator: Operator) -> None:
    made.reboot()
    assert operator.plan() == []
    serves(made)
    listening = {line.split()[3].rsplit(":", 1)[1] for line in made.shell("ss -Hltn | grep -v 127.0.0").splitlines()}
    assert listening == {"22", "80", "443"}


def test_a_host_that_is_deployed_is_left_to_plan_and_apply(made: Host, operator: Operator) -> None:
    code, error = bootstrap(operator)
    assert code == 1
    assert "the host is deployed already" in error["message"]
    assert "opsctl deploy apply" in error["hint"]


def test_a_secret_goes_to_its_site_and_nowhere_else(made: Host, operator: Operator) -> None:
    recipient = operator.open_secrets()
    text = operator.inventory.read_text().replace('name = "blog"\n', 'name = "blog"\nfiles = {".env" = "blog-env"}\n')
    operator.inventory.write_text(f'{text}\n[secrets]\nrecipients = ["{recipient}"]\n')
    code, document = operator.opsctl("deploy", "secret", "list", operator.inventory)
    assert (code, document["secrets"]) == (4, [{"name": "blog-env", "there": False, "uses": ["blog: .env"]}])
    code, document = operator.opsctl("deploy", "plan", operator.inventory)
    assert code == 2
    assert "no secret 'blog-env'" in document["hosts"][0]["error"]

    first, second = "SMTP=sentinel-one", "SMTP=sentinel-two"
    operator.keep_secret("blog-env", first)
    [change] = operator.plan()
    assert (change["what"], change["diff"]) == ("/srv/blog/shared/.env", ["+(secret)"])
    operator.keep_secret("blog-env", second)
    code, error = operator.opsctl("deploy", "apply", operator.directory / "web1.plan.json", "--why", "x")
    assert code == 1
    assert "another one than the plan has seen" in error["message"]
    operator.plan()
    operator.apply()
    assert operator.plan() == []
    assert made.shell("cat /srv/blog/shared/.env", user="blog") == second
    assert made.shell("stat --format='%U:%G %a' /srv/blog/shared/.env") == "blog:blog 400\n"
    assert made.run("cat", "/srv/blog/shared/.env", user="shop", check=False).returncode == 1

    sentinels = Sentinels()
    sentinels.add("first", first)
    sentinels.add("second", second)
    for path in operator.directory.rglob("*"):
        if path.is_file():
            assert sentinels.found_in(path.read_bytes()) == [], path
    assert sentinels.found_in(made.shell("journalctl --quiet --no-pager").encode()) == []
    for place in ("var/lib/opsctl", "var/log"):
        for path in made.inside(place).rglob("*"):
            assert path.is_symlink() or not path.is_file() or sentinels.found_in(path.read_bytes()) == [], path


def begin(operator: Operator) -> "subprocess.Popen[bytes]":
    words = ("deploy", "bootstrap", operator.inventory, "--why", "x", "--config", operator.directory / "opsctl.toml")
    return subprocess.Popen([sys.executable, "-m", "opsctl", *words], stderr=subprocess.DEVNULL)


def test_whatever_interrupts_it_it_is_run_again(made: Host, operator: Operator) -> None:
    make_bare(made)
    with begin(operator) as cut_short:
        made.shell(f"until test -e {REVERT}; do sleep 0.05; done; systemctl kill --signal=KILL 'opsctl-deploy-*'")
        assert cut_short.wait() == 1
    assert made.run("test", "-e", REVERT, check=False).returncode == 0
    with begin(operator) as gone:
        made.shell("until systemctl is-active --quiet 'opsctl-deploy-*'; do sleep 0.05; done")
        gone.send_signal(signal.SIGSTOP)  # the host goes on without it
        made.shell(f"until grep -qs waits {DEPLOYMENTS}/*/journal; do sleep 0.1; done")
        gone.kill()
    code, document = bootstrap(operator)
    assert (code, document["result"]) == (0, "finished")
    assert made.run("test", "-e", REVERT, check=False).returncode == 1
    assert operator.plan() == []
    serves(made)


def make_bare(host: Host) -> None:
    """Let only root in, as on the first day; packages stay."""
    host.shell(
        f"rm -r /etc/ssh/sshd_config.d/10-opsctl.conf /etc/sudoers.d/opsctl /etc/nginx/nginx.conf {DEPLOYMENTS};"
        "userdel --force --remove ops 2>/dev/null || ! id ops 2>/dev/null; systemctl reload ssh"
    )
