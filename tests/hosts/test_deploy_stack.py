"""A whole stack on a host, from its inventory: everything of it works, and a second plan is empty."""

from collections.abc import Callable

import pytest

from opsctl.core.process import Command, Completed
from opsctl.core.runner_ssh import SshRunner
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.run import plan_hosts
from tests.hosts.host import Host
from tests.hosts.operators import Operator
from tests.hosts.visitors import fetch

SITES = """
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


@pytest.fixture(scope="module")
def operator(running: Host, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator.make(tmp_path_factory.mktemp("operator"))
    made.describe(running, SITES)
    return made


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    return hosts()


@pytest.fixture(scope="module")
def deployed(running: Host, operator: Operator) -> Host:
    """Deployed as root of the bare host; from then on there is the operations account."""
    assert len(operator.plan("--as", "root")) > 30
    code, done = operator.opsctl("deploy", "apply", operator.kept, "--why", "a new customer")
    assert (code, done["result"]) == (0, "applied")
    return running


def test_a_second_plan_is_empty_and_applying_it_does_nothing(deployed: Host, operator: Operator) -> None:
    assert operator.plan() == []
    code, done = operator.opsctl("deploy", "apply", operator.kept)
    assert (code, done["result"]) == (0, "unchanged")
    assert operator.opsctl("deploy", "plan", operator.inventory, "--exit-code")[0] == 0


def test_planning_an_unchanged_host_takes_at_most_five_commands(
    deployed: Host, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, session = list[str](), SshRunner.run

    def counted(runner: SshRunner, command: Command, *, timeout_s: float, stdin: bytes | None = None) -> Completed:
        said.append(command.program)
        return session(runner, command, timeout_s=timeout_s, stdin=stdin)

    monkeypatch.setattr(SshRunner, "run", counted)
    [seen] = plan_hosts(load_inventory(operator.inventory, ()), (), Who("operator", "here"), user=None)
    assert seen.plan is not None
    assert not seen.plan.changes
    assert 1 <= len(said) <= 5


def test_a_change_by_hand_is_what_the_next_plan_takes_back(deployed: Host, operator: Operator) -> None:
    deployed.shell("echo '# by hand' >>/etc/nginx/nginx.conf; rm /etc/nginx/sites-enabled/blog.conf")
    assert operator.opsctl("deploy", "plan", operator.inventory, "--exit-code")[0] == 4
    changes = operator.plan()
    assert [change["what"] for change in changes] == [
        "/etc/nginx/nginx.conf",
        "/etc/nginx/sites-enabled/blog.conf",
    ]
    assert "-# by hand" in changes[0]["diff"]
    assert operator.opsctl("deploy", "apply", operator.kept)[0] == 0
    assert operator.plan() == []


def test_a_plan_that_was_edited_or_is_of_another_moment_is_refused(deployed: Host, operator: Operator) -> None:
    deployed.shell("echo '# by hand' >>/etc/nginx/nginx.conf")
    operator.plan()
    deployed.shell("echo '# again' >>/etc/nginx/nginx.conf")
    code, error = operator.opsctl("deploy", "apply", operator.kept)
    assert (code, error["hint"]) == (1, "make a new plan: opsctl deploy plan")
    assert "file:/etc/nginx/nginx.conf" in error["message"]
    operator.plan()
    operator.kept.write_text(operator.kept.read_text().replace('"mode":"0440"', '"mode":"0666"'))
    assert operator.opsctl("deploy", "apply", operator.kept)[0] == 12
    operator.plan()
    assert operator.opsctl("deploy", "apply", operator.kept)[0] == 0


def test_a_firewall_that_locks_us_out_is_taken_back(deployed: Host, operator: Operator) -> None:
    before = deployed.read("/etc/nftables.conf")
    locked = operator.inventory.read_text().replace(f'ssh_from = ["{deployed.gateway}"]', 'ssh_from = ["192.0.2.1"]')
    other = operator.inventory.with_name("locked.toml")
    other.write_text(locked.replace("timeout_s = 30", "timeout_s = 2"))
    assert operator.opsctl("deploy", "plan", other, "--out", operator.directory)[0] == 0
    code, error = operator.opsctl("deploy", "apply", operator.kept, "--revert", "10")
    assert code == 10
    assert "nobody gets in after the change" in error["message"]
    deployed.shell("until ! test -e /etc/systemd/system/opsctl-revert.timer; do sleep 0.1; done")
    assert deployed.read("/etc/nftables.conf") == before
    assert operator.plan() == []


def test_drift_finds_exactly_what_was_changed_by_hand(deployed: Host, operator: Operator) -> None:
    assert operator.plan() == []
    operator.opsctl("deploy", "drift", operator.inventory, "--accept")
    assert operator.opsctl("deploy", "drift", operator.inventory)[0] == 0
    deployed.shell("systemd-run --quiet --unit listener python3 -m http.server 9876")
    by_hand = (
        "echo '# by hand' >>/etc/nginx/nginx.conf",
        "echo '* * * * * root true --password=x' >/etc/cron.d/odd",
        "echo 'www-data ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/odd",
        "echo '# by hand' >>/etc/sudoers.d/opsctl",
        "chmod 0666 /etc/nginx/snippets/opsctl-headers.conf",
        "chmod 0777 /srv/blog/shared",
        "rm /etc/nginx/sites-enabled/api.conf",
        "touch /etc/nginx/sites-enabled/default",
        "usermod --shell /bin/sh blog",
        "mariadb -e 'DROP USER blog@localhost'",
        "rm /etc/logrotate.d/nginx",
        "useradd --uid 4242 intruder",
        "echo 'ssh-ed25519 AAAA somebody@else' >>/home/ops/.ssh/authorized_keys",
        "systemctl disable --quiet cron",
        "nft add rule inet opsctl input tcp dport 9876 accept",
        "until ss -Hltn | grep -q :9876; do sleep 0.1; done",
    )
    deployed.shell("\n".join(by_hand))
    code, document = operator.opsctl("deploy", "drift", operator.inventory)
    assert code == 4
    [host] = document["hosts"]
    assert {change["what"] for change in host["changes"]} == {
        "/etc/nginx/nginx.conf",
        "/home/ops/.ssh/authorized_keys",
        "unit cron.service",
        "/etc/sudoers.d/opsctl",
        "/etc/nginx/snippets/opsctl-headers.conf",
        "/srv/blog/shared",
        "/etc/nginx/sites-enabled/api.conf",
        "/etc/nginx/sites-enabled/default",
        "user blog",
        "create the database of blog and its account",
    }
    found = {(each["how"], each["what"]) for each in host["differences"]}
    assert ("removed", "unit cron.service") not in found, "the plan says it already"
    assert found >= {
        ("added", "file /etc/cron.d/odd"),
        ("removed", "file /etc/logrotate.d/nginx"),
        ("added", "account intruder"),
        ("changed", "file /etc/passwd"),
        ("added", "port tcp 0.0.0.0:9876"),
    }
    lines = {each["now"] for each in host["differences"] if each["what"].startswith("line of ")}
    assert lines == {"* * * * * root true …", "www-data ALL=(ALL) NOPASSWD: ALL"}
    assert [each["now"] for each in host["differences"] if "dport 9876" in (each["now"] or "")]
    assert [each["now"] for each in host["differences"] if each["what"].startswith("key of ops")] == ["somebody@else"]
    undo = (
        "systemctl stop listener",
        "rm /etc/cron.d/odd /etc/sudoers.d/odd",
        "userdel intruder",
        "nft -f /etc/nftables.conf",
        "touch /etc/logrotate.d/nginx",
    )
    deployed.shell("\n".join(undo))
    operator.plan()
    assert operator.opsctl("deploy", "apply", operator.kept)[0] == 0
    assert operator.opsctl("deploy", "drift", operator.inventory)[0] == 0


def test_another_host_key_is_refused(deployed: Host, operator: Operator) -> None:
    key = " ".join(deployed.host_key.split()[:2])
    other = operator.inventory.with_name("other.toml")
    fake = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"
    other.write_text(operator.inventory.read_text().replace(f'host_key = "{key}"', f'host_key = "{fake}"'))
    code, document = operator.opsctl("deploy", "plan", other)
    assert code == 5
    assert "none of the pinned ones" in document["hosts"][0]["error"]


def test_who_did_what_stands_in_the_ledger(deployed: Host, operator: Operator) -> None:
    code, document = operator.opsctl("ledger", "list", "--kind", "deploy")
    assert code == 0
    assert {"passed", "failed"} <= {entry["outcome"] for entry in document["entries"]}


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


def test_nobody_logs_in_as_root_or_with_a_password(deployed: Host, operator: Operator) -> None:
    effective = deployed.run("sshd", "-T").stdout
    for line in ("permitrootlogin no", "passwordauthentication no", "allowusers ops"):
        assert f"{line}\n" in effective


def test_only_what_visitors_and_operators_need_is_open(deployed: Host) -> None:
    rules = deployed.run("nft", "list", "ruleset").stdout
    assert "policy drop" in rules
    assert f"ip saddr {deployed.gateway} tcp dport 22 accept" in rules


def test_all_of_it_comes_back_after_a_reboot(deployed: Host, operator: Operator) -> None:
    deployed.reboot()
    assert operator.plan() == []
    assert fetch(deployed, "acme.example") == "hello\n"
    assert "policy drop" in deployed.run("nft", "list", "ruleset").stdout
