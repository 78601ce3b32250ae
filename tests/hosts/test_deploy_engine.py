"""Changes on a real host: all or none, whatever comes in between; and none that locks us out."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.errors import ExitCode, OpsError
from opsctl.core.runner_ssh import SshRunner
from opsctl.deploy.desired.templates import actions
from opsctl.deploy.plan import Plan, Target, make_plan
from opsctl.deploy.remote import HOME, Agent
from opsctl.deploy.resources import (
    Absent,
    Check,
    Desired,
    Directory,
    Link,
    Package,
    Resource,
    Script,
    Unit,
    User,
    file,
)
from tests.hosts.host import Host
from tests.hosts.test_runner import account

TARGET = Target(
    host="customer", address="", port=22, host_key="", key_file=Path("/x"), timeout_s=1, user="", confirm_user=""
)
WHO = {"who": "operator@here", "why": "a test"}
NGINX = Check(name="nginx", argv=("nginx", "-t"), concerns=("/etc/nginx/",))
RELOAD = next(action for action in actions(()) if action.name == "reload nginx")
SITE = "/etc/nginx/conf.d/site.conf"


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    return hosts()


@pytest.fixture
def agent(running: Host) -> Iterator[Agent]:
    runner = SshRunner(account(running))
    yield Agent(runner, sudo=False)
    runner.close()


def vhost(body: str) -> Resource:
    return file(SITE, f"server {{ listen 8080; {body} }}\n".encode(), then=("reload nginx",))


def desired(*resources: Resource, health: tuple[tuple[str, ...], ...] = ()) -> Desired:
    return Desired(resources=resources, actions=(RELOAD,), checks=(NGINX,), health=health)


def plan_of(agent: Agent, what: Desired) -> Plan:
    seen = agent.observe(what.resources)
    return make_plan(what, seen, stack="acme", target=TARGET, by="operator@here")


def apply(agent: Agent, what: Desired, *, revert_s: int = 60) -> str:
    plan = plan_of(agent, what)
    return str(agent.apply(plan, who=WHO, revert_s=revert_s)["outcome"])


def everything(running: Host) -> str:
    """All of /etc, and with it the accounts; but for the copies that useradd makes of their files."""
    return running.shell(
        "cd /etc; find . -type f ! -name '*-' -print0 | sort -z | xargs -0 sha256sum; find . -type l -printf '%p %l\\n'"
    )


def answers(running: Host, text: str) -> None:
    assert running.shell("curl -s localhost:8080") == text


ALL = (
    Package(name="curl"),
    User(name="shop", home="/srv/shop", groups=("www-data",)),
    Directory(path="/srv/shop", owner="shop", group="shop", mode="0750"),
    file("/etc/shop.key", b"hidden", mode="0600", secret=True),
    file("/srv/shop/page", b"hello\n", owner="shop", group="www-data", mode="0640"),
    Link(path="/etc/shop.link", target="/srv/shop/page"),
    Absent(path="/etc/nginx/sites-enabled/default"),
    Unit(name="cron.service", enabled=False, active=False),
    Script(
        name="zone", look="cat /etc/zone 2>/dev/null || :", wanted="UTC", do="echo UTC >/etc/zone",
        undo="rm -f /etc/zone", shown="set the zone",
    ),
    vhost("return 200 one;"),
)  # fmt: skip


def test_all_changes_are_shown_made_and_then_there_are_none(running: Host, agent: Agent) -> None:
    plan = plan_of(agent, desired(*ALL))
    shown = {change.what: change for change in plan.changes}
    assert "package curl" not in shown
    assert shown["/etc/shop.key"].diff == ("+(secret)",)
    assert shown["/srv/shop/page"].diff == ("@@ -0,0 +1 @@", "+hello")
    assert shown["/etc/nginx/sites-enabled/default"].verb == "remove"
    assert shown["unit cron.service"].diff == ("-enabled: True", "+enabled: False", "-active: True", "+active: False")
    assert agent.apply(plan, who=WHO, revert_s=60)["actions"] == ["reload nginx"]
    answers(running, "one")
    assert running.shell("stat -c '%U:%G %a' /srv/shop/page /etc/shop.key") == "shop:www-data 640\nroot:root 600\n"
    assert plan_of(agent, desired(*ALL)).changes == ()


def test_a_change_shows_the_lines_that_differ_and_no_secret(agent: Agent) -> None:
    apply(agent, desired(*ALL))
    other = (file("/etc/shop.key", b"other", mode="0600", secret=True), vhost("return 200 two;"))
    plan = plan_of(agent, desired(*other))
    assert [change.diff for change in plan.changes] == [
        ("-(secret)", "+(another secret)"),
        ("@@ -1 +1 @@", "-server { listen 8080; return 200 one; }", "+server { listen 8080; return 200 two; }"),
    ]


def test_what_a_program_itself_refuses_is_never_in_place(running: Host, agent: Agent) -> None:
    apply(agent, desired(*ALL))
    before = everything(running)
    bad = (User(name="late", home="/srv/late"), file("/etc/shop.other", b"x"), vhost("no such directive;"))
    with pytest.raises(OpsError, match=r"nothing was changed: the check 'nginx' refuses .*unknown directive"):
        apply(agent, desired(*bad))
    assert everything(running) == before
    answers(running, "one")


def test_what_nginx_does_not_take_up_takes_everything_back(running: Host, agent: Agent) -> None:
    apply(agent, desired(*ALL))
    before = everything(running)
    running.run("systemd-run", "--unit=taken", "python3", "-m", "http.server", "--bind", "127.0.0.1", "8081")
    running.shell("until ss -Hltn | grep -q :8081; do sleep 0.1; done")
    try:  # `nginx -t` says nothing of it
        with pytest.raises(OpsError, match=r"(?s)goes on by its old configuration.*bind\(\) to .*8081 failed"):
            apply(agent, desired(*ALL[:-1], vhost("listen 127.0.0.1:8081; return 200 two;")))
    finally:
        running.shell("systemctl stop taken")
    assert everything(running) == before
    answers(running, "one")


def test_a_failed_health_check_takes_everything_back(running: Host, agent: Agent) -> None:
    apply(agent, desired(*ALL))
    before = everything(running)
    changes = (
        User(name="late", home="/srv/late"),
        file("/etc/shop.other", b"x"),
        file("/etc/shop.key", b"other", mode="0600", secret=True),
        Link(path="/etc/shop.link", target="/elsewhere"),
        Unit(name="cron.service"),
        Script(
            name="zone", look="cat /etc/zone", wanted="X", do="echo X >/etc/zone", undo="echo UTC >/etc/zone", shown="z"
        ),
        vhost("return 200 two;"),
    )
    check = "test $(curl -s localhost:8080) = three"
    with pytest.raises(OpsError, match=r"nothing was changed: sh -c test .* exited with 1"):
        apply(agent, desired(*changes, health=(("sh", "-c", check),)))
    assert everything(running) == before
    answers(running, "one")
    assert running.run("systemctl", "is-active", "cron", check=False).stdout == "inactive\n"


def test_a_plan_is_refused_once_the_host_is_another_one(running: Host, agent: Agent) -> None:
    plan = plan_of(agent, desired(vhost("return 200 four;")))
    running.write(SITE, "# by hand\n")
    with pytest.raises(OpsError, match=f"not as the plan has seen it: file:{SITE}"):
        agent.apply(plan, who=WHO, revert_s=60)
    assert running.read(SITE) == "# by hand\n"


def test_a_killed_apply_is_taken_back_by_the_next(running: Host, agent: Agent) -> None:
    apply(agent, desired(*ALL))
    kill = "kill -9 $(ps -o ppid= -p $$)"
    last = Script(name="x", look="echo no", wanted="yes", do=kill, undo="true", shown="end badly")
    with pytest.raises(OpsError, match="was ended on the host before it was done"):
        apply(agent, desired(file("/etc/half", b"half"), last))
    assert running.read("/etc/half") == "half"
    plan = plan_of(agent, desired(vhost("return 200 five;")))
    answer = agent.apply(plan, who=WHO, revert_s=60)
    assert len(answer["recovered"]) == 1
    assert running.run("test", "-e", "/etc/half", check=False).returncode == 1
    answers(running, "five")


def test_a_cut_connection_does_not_cut_the_change(running: Host) -> None:
    runner = SshRunner(account(running))
    cut = "for p in $(pgrep -f '[s]shd: root@notty'); do kill -9 $p; done"
    slow = Script(name="cut", look="echo no", wanted="yes", do=cut, undo="true", shown="cut the connection")
    with pytest.raises(OpsError, match="the connection was lost"):
        apply(Agent(runner, sudo=False), desired(slow, file("/etc/after", b"after")))
    running.shell("until test -e /etc/after; do sleep 0.1; done")
    running.shell(f"until grep -qs '\"applied\"' {HOME}/*/journal; do sleep 0.1; done")


def test_only_one_changes_a_host_at_a_time(running: Host, agent: Agent) -> None:
    holder = running.spawn("flock", f"{HOME}/lock", "sh", "-c", "echo held; sleep 60")
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OpsError, match="somebody else changes this host") as caught:
            apply(agent, desired(file("/etc/locked", b"x")))
        assert caught.value.exit_code == ExitCode.LOCKED
    finally:
        running.shell("pkill -x sleep")
        holder.communicate()


class TestGuarded:
    """Changes that could lock us out."""

    def test_one_that_is_confirmed_stays(self, running: Host, agent: Agent) -> None:
        plan = plan_of(agent, desired(file("/etc/guarded", b"new", guarded=True)))
        assert agent.apply(plan, who=WHO, revert_s=60)["confirm"] is True
        agent.confirm(plan.id)
        assert running.read("/etc/guarded") == "new"
        assert running.run("systemctl", "is-enabled", "opsctl-revert.timer", check=False).returncode != 0
        assert apply(agent, desired(file("/etc/guarded", b"newer"))) == "applied"

    def test_one_that_nobody_confirms_is_taken_back(self, running: Host, agent: Agent) -> None:
        running.write("/etc/guarded", "old", mode=0o640)
        plan = plan_of(agent, desired(file("/etc/guarded", b"lockout", guarded=True)))
        agent.apply(plan, who=WHO, revert_s=3)
        assert running.read("/etc/guarded") == "lockout"
        running.shell("until test $(cat /etc/guarded) = old; do sleep 0.1; done")
        running.shell("until ! test -e /etc/systemd/system/opsctl-revert.timer; do sleep 0.1; done")
        with pytest.raises(OpsError, match="no change waits for this confirmation"):
            agent.confirm(plan.id)

    def test_it_is_taken_back_after_a_reboot_too(self, running: Host, agent: Agent) -> None:
        running.write("/etc/guarded", "old")
        plan = plan_of(agent, desired(file("/etc/guarded", b"lockout", guarded=True)))
        agent.apply(plan, who=WHO, revert_s=20)
        running.cut_power()
        running.boot()
        running.shell("until test $(cat /etc/guarded) = old; do sleep 0.1; done")
        assert running.shell("journalctl --boot --quiet --unit opsctl-revert.service"), "by the timer of this boot"


class TestSecrets:
    """Contents that nobody may see are in their files, and nowhere else once it has ended, however."""

    FILE = "/srv/hidden"

    @staticmethod
    def hidden(text: str, **more: Any) -> Resource:
        return file(TestSecrets.FILE, text.encode(), mode="0400", secret=True, **more)

    @staticmethod
    def holding(running: Host, text: str) -> list[str]:
        """The files that have a secret in them, as it is or as bundles have it."""
        coded = base64.b64encode(text.encode()).decode()
        places = "/etc /home /root /run /srv /tmp /usr/local /var"
        said = running.shell(f"grep -rlsF -e {text} -e {coded} {places} || :")
        assert text not in running.shell("journalctl --quiet --no-pager")
        return sorted(line for line in said.splitlines() if not line.startswith("/run/log/journal"))

    def test_when_all_is_made_only_the_file_has_it(self, running: Host, agent: Agent) -> None:
        apply(agent, desired(self.hidden("sentinel-first")))
        apply(agent, desired(self.hidden("sentinel-second")))
        assert self.holding(running, "sentinel-first") == []
        assert self.holding(running, "sentinel-second") == [self.FILE]

    def test_when_it_is_taken_back_only_the_file_has_the_old_one(self, running: Host, agent: Agent) -> None:
        apply(agent, desired(self.hidden("sentinel-old")))
        with pytest.raises(OpsError):
            apply(agent, desired(self.hidden("sentinel-new"), health=(("false",),)))
        assert self.holding(running, "sentinel-new") == []
        assert self.holding(running, "sentinel-old") == [self.FILE]

    def test_when_it_is_refused_nothing_has_it(self, running: Host, agent: Agent) -> None:
        plan = plan_of(agent, desired(self.hidden("sentinel-stale")))
        running.write(self.FILE, "by hand")
        with pytest.raises(OpsError, match="not as the plan has seen it"):
            agent.apply(plan, who=WHO, revert_s=60)
        assert self.holding(running, "sentinel-stale") == []

    def test_what_was_there_before_stays_until_somebody_confirms(self, running: Host, agent: Agent) -> None:
        apply(agent, desired(self.hidden("sentinel-before")))
        plan = plan_of(agent, desired(self.hidden("sentinel-after", guarded=True)))
        agent.apply(plan, who=WHO, revert_s=60)
        assert self.holding(running, "sentinel-before") == [f"{HOME}/{plan.id}/old/0"]
        assert self.holding(running, "sentinel-after") == [self.FILE]
        agent.confirm(plan.id)
        assert self.holding(running, "sentinel-before") == []

    def test_what_was_interrupted_keeps_it_for_root_alone_until_the_next_apply(
        self, running: Host, agent: Agent
    ) -> None:
        kill = Script(name="x", look="echo no", wanted="yes", do="kill -9 $(ps -o ppid= -p $$)", undo="true", shown="x")
        plan = plan_of(agent, desired(self.hidden("sentinel-half"), kill))
        with pytest.raises(OpsError, match="was ended on the host"):
            agent.apply(plan, who=WHO, revert_s=60)
        holding = self.holding(running, "sentinel-half")
        assert {self.FILE, f"{HOME}/{plan.id}/bundle.json"} <= set(holding)
        assert all(path == self.FILE or path.startswith(f"{HOME}/{plan.id}/") for path in holding)
        assert running.shell(f"stat -c %a {HOME}/{plan.id} {HOME}/{plan.id}/bundle.json") == "700\n600\n"
        apply(agent, desired(file("/srv/other", b"other")))
        assert self.holding(running, "sentinel-half") == []


def test_an_interrupted_change_is_named_or_taken_back_for_whoever_goes_on(running: Host, agent: Agent) -> None:
    assert agent.resume() is None
    plan = plan_of(agent, desired(file("/etc/guarded", b"whole", guarded=True)))
    agent.apply(plan, who=WHO, revert_s=60)
    assert agent.resume() == plan.id
    agent.confirm(plan.id)
    assert agent.resume() is None
