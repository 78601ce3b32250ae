"""opsctl itself on a host that nobody has prepared: carried over, set up, backing up by its own timers."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.runner_ssh import SshRunner
from opsctl.deploy.plan import make_plan
from opsctl.deploy.remote import Agent
from opsctl.deploy.resources import Desired, Program, Wheel
from tests.hosts.bases import bare_base, deployed_base
from tests.hosts.carried import wheels_to_carry
from tests.hosts.drilling import DrillHost
from tests.hosts.host import Host
from tests.hosts.operators import Operator
from tests.hosts.test_deploy_engine import TARGET
from tests.hosts.test_runner import account
from tests.hosts.visitors import fetch
from tests.hosts.wordpress import install_wordpress, post_story
from tests.support.debian import Base
from tests.support.s3server import SECRET, USER, S3Server, running_s3
from tests.support.sshd import Sshd, running_sshd

INVENTORY = """
[opsctl]
wheels = "{wheels}"

[[opsctl.settings.jobs]]
name = "backup"
calendar = "{calendar}"
delay_s = 0

[recipients]
data = ["{data}"]
keys = ["{keys}"]

[[repositories]]
name = "offsite"
kind = "sftp"
host = "{gateway}"
port = {port}
user = "{user}"
host_keys = ["{host_key}"]
path = "{path}"

[[repositories]]
name = "bucket"
kind = "s3"
bucket = "acme"
endpoint = "http://{gateway}:{s3_port}"
path_style = true
secret = "bucket"

[secrets]
recipients = ["{recipient}"]

[[sites]]
name = "blog"
kind = "wordpress"
host = "web1"
domains = ["blog.acme.example"]
visit = {{ ca_file = "/etc/ssl/opsctl/blog/current/fullchain.pem" }}

[sites.backup]
config = "/srv/blog/shared/wp-config.php"
code = "/srv/blog/current/public"
uploads = "/srv/blog/shared/uploads"
http_host = "blog.acme.example"

[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["www.acme.example"]
visit = {{ ca_file = "/etc/ssl/opsctl/brochure/current/fullchain.pem" }}
"""
NIGHTLY = "*-*-* 02:00:00"
OFTEN = "*:*:0/10"


@dataclass(frozen=True)
class Shop:
    """Everything but the host: the operator, two stores off it, the drill host that has its identities."""

    operator: Operator
    wheels: Path
    sshd: Sshd
    folder: str
    s3: S3Server
    recipient: str
    drill_host: DrillHost

    def describe(self, host: Host, calendar: str = NIGHTLY) -> None:
        """Write the inventory of a host that backs up at these times."""
        values = {
            "wheels": self.wheels,
            "calendar": calendar,
            "data": self.drill_host.data.to_public(),
            "keys": self.drill_host.keys.to_public(),
            "gateway": host.gateway,
            "port": self.sshd.port,
            "user": self.sshd.account.pw_name,
            "host_key": self.sshd.public_key("host_key"),
            "path": self.folder,
            "s3_port": self.s3.port,
            "recipient": self.recipient,
        }
        self.operator.describe(host, INVENTORY.format(**values))

    def let_in(self) -> None:
        """Let the host into the store, and let the drill host believe it: by what the operator was told."""
        done = self.operator.apply_again()
        with (self.sshd.directory / "authorized_keys").open("a") as file:
            file.write(f"{done['public_keys']['/etc/opsctl/offsite_key.pub']}\n")
        self.drill_host.believe(Path(done["allowed_signers"]))


class Provider:
    """Makes running hosts without opsctl, and loses them."""

    def __init__(self) -> None:
        self._hosts: list[Host] = []

    def make(self, base: Callable[[], Base] = deployed_base) -> Host:
        """A new one."""
        host = Host.make(base())
        self._hosts.append(host)
        host.boot()
        return host

    def lose(self, host: Host) -> None:
        """All of it is gone."""
        self._hosts.remove(host)
        host.destroy()

    def lose_all(self) -> None:
        """Nothing is left."""
        for host in self._hosts.copy():
            self.lose(host)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.lose_all()


@pytest.fixture(scope="module")
def shop(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="opsctl-", dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)  # the store's account and the sandbox's user pass through
        for part in ("store", "drill", "s3"):
            (directory / part).mkdir()
        operator = Operator.make(tmp_path_factory.mktemp("operator"))
        wheels = wheels_to_carry(wheel, operator.directory / "wheels")
        here = "0.0.0.0"  # noqa: S104 - a host has its own way here
        with running_sshd(directory / "store", address=here) as sshd, running_s3(directory / "s3", here) as s3:
            _, folder = sshd.folder("acme")
            drill_host = DrillHost.make(directory / "drill", sshd, folder, s3.bucket("acme"))
            yield Shop(operator, wheels, sshd, folder, s3, operator.open_secrets(), drill_host)


@pytest.fixture(scope="module")
def deployed(provider: Provider, shop: Shop) -> Host:
    host = provider.make()
    shop.describe(host)
    shop.operator.keep_secret("bucket", shop.s3.credentials(USER, SECRET).read_text())
    shop.operator.plan("--as", "root")
    shop.operator.apply()
    return host


@pytest.fixture(scope="module")
def backed_up(deployed: Host, shop: Shop) -> Host:
    """Its sites have content, and its timer has made a backup by itself, which lies off the host, and logs since.

    What of opsctl was broken by hand before is whole again.
    """
    install_wordpress(deployed, "blog", "blog.acme.example")
    deployed.shell("echo hello >/srv/brochure/current/public/index.html")
    shop.operator.plan()
    shop.let_in()
    deployed.shell("systemctl disable --quiet --now opsctl-copy.timer; mariadb -e 'DROP USER opsctl_ship@localhost'")
    shop.describe(deployed, OFTEN)
    assert [change["what"] for change in shop.operator.plan()] == [
        "/etc/opsctl/opsctl.toml",
        "create opsctl's accounts on the database server",
        "let opsctl's jobs run by timers",
    ]
    shop.operator.apply()
    deployed.run("systemctl", "is-active", "opsctl-copy.timer")
    with deployed.spawn("journalctl", "--follow", "-o", "cat", "-n0", "-u", "opsctl-backup.service") as journal:
        assert journal.stdout is not None
        while "Finished opsctl-backup.service" not in journal.stdout.readline():
            pass
        journal.kill()
    deployed.run("systemctl", "stop", "opsctl-backup.timer")
    post_story(deployed, "blog", "The last story")
    deployed.run("systemctl", "start", "opsctl-binlog-ship.service")
    return deployed


def test_opsctl_is_carried_over_and_runs_from_what_came(deployed: Host, shop: Shop) -> None:
    assert deployed.run("opsctl", "--version", user="www-data").stdout.startswith("opsctl ")
    assert shop.operator.plan() == []
    assert (shop.operator.directory / "web1.plan.json").stat().st_size < 300_000, "a plan names wheels and holds none"
    deploys = json.loads(deployed.run("opsctl", "ledger", "list", "--kind", "deploy", "--json").stdout)["entries"]
    assert [entry["outcome"] for entry in deploys] == ["passed"], "its own ledger knows who deployed it"
    assert deployed.shell("stat -c %U /var/lib/opsctl/host/ledger*").split()[0] == "mysql", "jobs go on with it"


def test_a_version_follows_another_and_goes_back_and_one_that_does_not_run_changes_nothing(
    deployed: Host, tmp_path: Path
) -> None:
    runner = SshRunner(account(deployed, user="ops"))
    agent = Agent(runner, sudo=True)
    try:
        for version in ("1", "2"):
            assert apply(agent, hello(tmp_path, version)) == [f"hello-{version}-py3-none-any.whl"]
            assert deployed.run("hello", "--version", user="www-data").stdout == f"hello {version}\n"
        with pytest.raises(OpsError, match="broken"):
            apply(agent, hello(tmp_path, "3", "raise SystemExit('broken')"))
        assert deployed.run("hello").stdout == "hello 2\n"
        assert len(deployed.shell("ls -d /opt/hello/*/").split()) == 3, "with current"
        assert apply(agent, hello(tmp_path, "1")) == [], "nothing has to come over again"
        assert deployed.run("hello").stdout == "hello 1\n"
        other = hello(tmp_path, "4", "print('another')")
        hello(tmp_path, "4")
        with pytest.raises(OpsError, match="another one than was sent"):
            agent.carry([other])
    finally:
        runner.close()


def apply(agent: Agent, program: Program) -> list[str]:
    """Apply a program; the names of the wheels that came over for it."""
    what = Desired(resources=(program,))
    plan = make_plan(what, agent.observe(what.resources), stack="acme", target=TARGET, by="operator@here")
    carried = agent.carry([program])
    agent.apply(plan, who={"who": "operator", "why": "a test"}, revert_s=60)
    return carried


def hello(directory: Path, version: str, does: str = "print('hello', __version__)") -> Program:
    """A program of one wheel, which lies in the directory afterwards."""
    path = directory / f"hello-{version}-py3-none-any.whl"
    info = f"hello-{version}.dist-info"
    parts = {
        "hello.py": f"__version__ = '{version}'\ndef main():\n    {does}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: hello\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nhello = hello:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in parts.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    wheels = (Wheel(file=path.name, sha256=digest),)
    return Program(name="hello", source=directory, version=digest[:16], wheels=wheels, early=True)


def test_settings_that_opsctl_would_refuse_change_nothing(deployed: Host, shop: Shop) -> None:
    before = deployed.read("/etc/opsctl/opsctl.toml")
    shop.describe(deployed, "at midnight")
    shop.operator.plan()
    code, error = shop.operator.opsctl("deploy", "apply", shop.operator.directory / "web1.plan.json")
    shop.describe(deployed)
    assert code == 1
    assert "the check 'opsctl' refuses" in error["message"]
    assert "at midnight" in error["message"]
    assert deployed.read("/etc/opsctl/opsctl.toml") == before


def test_the_timer_fires_and_everything_is_in_place_but_a_store_that_nobody_can_harm(
    backed_up: Host, shop: Shop
) -> None:
    found = json.loads(backed_up.run("opsctl", "doctor", "--json", check=False).stdout)
    wrong = [each["id"] for each in found["results"] if each["outcome"] != "passed"]
    immutable = ["repository.offsite.immutable", "repository.bucket.immutable"]
    assert wrong == immutable, "the stores of this test let whoever writes to them delete"
    backed_up.run("systemctl", "start", "opsctl-health.service")  # fails when a site, a unit or a certificate does


def test_the_drill_host_passes_all_checks_on_what_lies_off_the_host(backed_up: Host, shop: Shop) -> None:
    code, done = shop.drill_host.opsctl("drill", "run")
    results = {each["id"]: each["outcome"] for each in done["report"]["body"]["results"]}
    assert set(results.values()) == {"passed"}, done
    assert (code, len(results)) == (0, 8)
    assert done["report"]["body"]["recovery_point"]["off_host"] is True


def test_a_lost_host_is_brought_back_on_a_new_one_from_what_lay_off_it_alone(
    backed_up: Host, shop: Shop, provider: Provider
) -> None:
    """The last test of its host. What the record says is the full-restore time."""
    lost = utcnow()
    provider.lose(backed_up)
    restored = shop.drill_host.directory / "restored"
    code, done = shop.drill_host.opsctl("restore", "--to", restored, "--latest", "--repository", "bucket")
    assert code == 0, done
    new = provider.make(bare_base)
    shop.describe(new)
    code, done = shop.operator.opsctl("deploy", "bootstrap", shop.operator.inventory, "--why", "web1 was lost")
    assert code == 0, done
    words = ("deploy", "restore", shop.operator.inventory, "--from", restored, "--since", lost.isoformat())
    new.run("systemctl", "stop", "nginx")
    code, error = shop.drill_host.opsctl(*words)
    assert (code, "nothing was changed" in error["message"]) == (1, True)
    assert new.run("mariadb", "-NBe", "SHOW TABLES IN blog").stdout == "", "the database is the new host's again"
    assert new.shell("ls -A /srv/blog/shared /srv /var/lib | grep restore || :") == ""
    new.run("systemctl", "start", "nginx")
    new.shell("systemctl stop mariadb; mv /var/lib/mysql /var/lib/mysql.before-restore")  # as a run that was killed
    code, done = shop.drill_host.opsctl(*words)
    assert code == 0, done
    picture = f"/wp-content/uploads/{utcnow():%Y/%m}/picture.txt"
    assert "<title>The last story</title>" in fetch(new, "blog.acme.example", "/?feed=rss2")
    assert fetch(new, "blog.acme.example", picture).startswith("picture picture")
    assert fetch(new, "www.acme.example") == "hello\n"
    assert shop.operator.plan() == [], "it is what the inventory says"
    code, error = shop.drill_host.opsctl(*words)
    assert (code, "this host has data" in error["message"]) == (1, True)
    code, found = shop.drill_host.opsctl("ledger", "list", "--kind", "full-restore")
    assert [entry["outcome"] for entry in found["entries"]] == ["passed"]
    assert done["restored"]["total_s"] > done["restored"]["restore_s"] + done["restored"]["in_place_s"]
    code, status = shop.drill_host.opsctl("status")
    assert status["last_full_restore"]["total_s"] == done["restored"]["total_s"]
    shop.let_in()
    new.run("systemctl", "start", "opsctl-backup.service")
    code, found = shop.drill_host.opsctl("backup", "list")
    assert max(each["id"] for each in found["backups"]) > done["restored"]["backup"], "the new host goes on"
