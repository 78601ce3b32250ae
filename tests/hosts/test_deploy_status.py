"""What stands in the way of a deployment is seen and ended, and the host's own ledger tells of each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opsctl.deploy.plan import parse_plan
from opsctl.deploy.reach import agent_on
from opsctl.deploy.resources import File, Script, file
from tests.hosts.host import Host
from tests.hosts.operators import SETTINGS, Operator

WHO = {"who": "somebody from elsewhere", "since": "2026-05-01 02:30 UTC", "why": "a test", "actor": "somebody"}
GO = "/run/go"
FIRED = "systemctl is-active opsctl-revert.service | grep -q activating"
SLOW = Script(
    name="slow",
    look="cat /etc/slow 2>/dev/null || :",
    wanted="done",
    do=f"echo begun >/etc/slow; until test -e {GO}; do sleep 0.1; done; echo done >/etc/slow",
    undo="rm -f /etc/slow",
    shown="take long",
)


@pytest.fixture(scope="module")
def running(hosts: Callable[..., Host]) -> Host:
    host = hosts()
    host.write(
        "/etc/opsctl/opsctl.toml", SETTINGS.format(place="host", directory="/etc/opsctl", state="/var/lib/opsctl")
    )
    return host


@pytest.fixture(scope="module")
def operator(running: Host, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator.make(tmp_path_factory.mktemp("operator")).describe(running, user="root")


def status(operator: Operator) -> tuple[int, dict[str, Any]]:
    code, document = operator.opsctl("deploy", "status", operator.inventory)
    [host] = document["hosts"]
    assert host["error"] is None
    state: dict[str, Any] = host["state"]
    return code, state


def unlock(operator: Operator) -> tuple[int, dict[str, Any]]:
    code, document = operator.opsctl("deploy", "unlock", operator.inventory, "--host", "web1", "--confirm", "web1")
    return code, document.get("done", document)


def records(exported: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of an exported ledger."""
    return [json.loads(entry["payload"]) for entry in exported["entries"]]


def told(running: Host) -> list[dict[str, Any]]:
    """What the host's own ledger says of deployments."""
    document = json.loads(running.run("opsctl", "ledger", "export", "--json").stdout)
    return [record["body"] for record in records(document) if record["kind"] == "deploy"]


def guarded(text: bytes) -> File:
    return file("/etc/guarded", text, guarded=True)


def applied_unconfirmed(operator: Operator, text: bytes, revert_s: int) -> str:
    """Apply a guarded change, and let nobody confirm it."""
    kept = operator.plan_part("web1", guarded(text))
    plan = parse_plan(kept.read_bytes(), "plan")
    with agent_on(plan.target, "root") as agent:
        assert agent.apply(plan, who=WHO, revert_s=revert_s)["confirm"] is True
    return plan.id


def test_a_host_without_deployments_says_so(operator: Operator) -> None:
    assert status(operator) == (0, {"lock": None, "waiting": None, "applications": []})
    assert "nothing was ever applied" in operator.shown("deploy", "status", operator.inventory)


def test_who_did_what_and_why_stands_on_the_host_and_in_its_ledger(running: Host, operator: Operator) -> None:
    kept = operator.plan_part("web1", file("/etc/one", b"1"))
    assert operator.opsctl("deploy", "apply", kept, "--why", "the first")[0] == 0
    code, state = status(operator)
    [last] = state["applications"]
    assert (code, last["state"], last["who"]["why"]) == (0, "applied", "the first")
    [mine] = records(operator.opsctl("ledger", "export")[1])
    [theirs] = told(running)
    assert theirs == mine["body"] | {"told_by": "host"}
    assert theirs["plan_sha256"] == last["sha256"]


def test_what_the_ledger_has_is_not_told_again(running: Host) -> None:
    before = told(running)
    assert json.loads(running.run("opsctl", "deploy", "adopt", "--json").stdout)["adopted"] == []
    assert told(running) == before


def test_a_host_whose_opsctl_is_broken_is_deployed_to_and_tells_later(running: Host, operator: Operator) -> None:
    count, settings = len(told(running)), running.read("/etc/opsctl/opsctl.toml")
    running.write("/etc/opsctl/opsctl.toml", "broken")
    code, document = operator.opsctl("deploy", "apply", operator.plan_part("web1", file("/etc/one", b"2")))
    assert (code, document["result"]) == (0, "applied")
    assert "the host's own ledger has not taken it" in document["hosts"][0]["notes"][0]
    running.write("/etc/opsctl/opsctl.toml", settings)
    assert operator.opsctl("deploy", "apply", operator.plan_part("web1", file("/etc/one", b"3")))[0] == 0
    assert len(told(running)) == count + 2


def test_a_change_that_waits_is_seen_keeps_others_out_and_is_taken_back_at_once(
    running: Host, operator: Operator
) -> None:
    waits = applied_unconfirmed(operator, b"waits", 600)
    code, state = status(operator)
    assert (code, state["waiting"]["id"]) == (4, waits)
    assert 500 < state["waiting"]["seconds"] <= 600
    assert state["applications"][0]["state"] == "waiting"
    code, error = operator.opsctl("deploy", "apply", operator.plan_part("web1", file("/etc/one", b"4")))
    assert code == 11
    assert "waits for its confirmation, made by somebody from elsewhere since 2026-05-01" in error["message"]
    assert unlock(operator)[1]["taken_back"] == [waits]
    assert running.run("test", "-e", "/etc/guarded", check=False).returncode == 1
    code, state = status(operator)
    assert (code, state["waiting"], state["applications"][0]["because"]) == (0, None, "unlocked")
    assert told(running)[-1]["result"] == "unlocked"
    assert records(operator.opsctl("ledger", "export")[1])[-1]["body"]["taken_back"] == [waits]


def test_a_revert_by_the_timer_stands_in_the_ledger(running: Host, operator: Operator) -> None:
    reverted = applied_unconfirmed(operator, b"nobody", 2)
    running.shell("until opsctl ledger export --json | grep -q unconfirmed; do sleep 0.2; done")
    last = told(running)[-1]
    assert (last["plan_id"], last["result"], last["actor"]) == (reverted, "unconfirmed", "somebody")


def test_an_application_that_outlasts_its_timer_is_confirmed_all_the_same(running: Host, operator: Operator) -> None:
    lasting = Script(
        name="lasting",
        look="cat /etc/lasting 2>/dev/null || :",
        wanted="yes",
        do=f"until {FIRED}; do sleep 0.1; done; echo yes >/etc/lasting",
        undo="rm -f /etc/lasting",
        shown="last until the timer fires",
    )
    kept = operator.plan_part("web1", guarded(b"kept"), lasting)
    code, document = operator.opsctl("deploy", "apply", kept, "--revert", "10")
    assert (code, document.get("result")) == (0, "applied"), document
    running.shell("until test $(systemctl is-active opsctl-revert.service) = inactive; do sleep 0.1; done")
    assert running.read("/etc/guarded") == "kept"


def test_one_that_is_refused_may_wait_and_unlock_ends_what_it_waits_for(running: Host, operator: Operator) -> None:
    slow, other = operator.plan_part("web1", SLOW, kept_as="slow"), operator.plan_part("web1", file("/etc/one", b"5"))
    with operator.started("deploy", "apply", slow, "--why", "it takes long") as first:
        running.shell("until test -e /etc/slow; do sleep 0.1; done")
        code, state = status(operator)
        assert (code, state["applications"][0]["state"], state["lock"]["why"]) == (0, "running", "it takes long")
        assert state["lock"]["unit"] == f"opsctl-deploy-{state['lock']['plan']}.service"
        health = json.loads(running.run("opsctl", "health", "run", "--dry-run", "--json", check=False).stdout)
        assert health["hands_off"].startswith("a deployment is changing this host")
        assert max(map(len, operator.shown("deploy", "status", operator.inventory).splitlines())) <= 80
        code, error = operator.opsctl("deploy", "apply", other)
        assert code == 11
        assert error["message"].endswith(": it takes long")
        with operator.started("deploy", "apply", other, "--lock-wait", "60") as waiting:
            running.shell("until pgrep --full 'python3 -c .* wait$'; do sleep 0.1; done")
            code, done = unlock(operator)
            assert (code, done["taken_back"]) == (0, [state["lock"]["plan"]])
            assert json.loads(waiting.communicate()[0])["result"] == "applied"
        ended = json.loads(first.communicate()[0])
    assert "was ended on the host before it was done" in ended["message"]
    assert running.run("test", "-e", "/etc/slow", check=False).returncode == 1
    assert running.read("/etc/one") == "5"


def test_what_a_power_cut_has_interrupted_is_seen_and_taken_back(running: Host, operator: Operator) -> None:
    slow = operator.plan_part("web1", file("/etc/before", b"x"), SLOW, kept_as="slow")
    with operator.started("deploy", "apply", slow) as cut:
        running.shell("until test -e /etc/slow; do sleep 0.1; done")
        running.cut_power()
        assert json.loads(cut.communicate()[0])["exit_code"] == 10
    running.boot()
    code, state = status(operator)
    assert (code, state["lock"], state["applications"][0]["state"]) == (4, None, "interrupted")
    assert unlock(operator)[1]["recovered"] == [state["applications"][0]["id"]]
    assert status(operator)[0] == 0
    assert running.run("test", "-e", "/etc/before", check=False).returncode == 1


def test_a_lock_that_no_deployment_holds_is_not_ended(running: Host, operator: Operator) -> None:
    hold = "echo held >/run/held; until test -e /run/go; do sleep 0.1; done"
    running.shell(f"systemd-run --quiet --unit holder flock /var/lib/opsctl/deploy/lock sh -c '{hold}'")
    running.shell("until test -e /run/held; do sleep 0.1; done")
    code, error = unlock(operator)
    assert code == 11
    assert "which is no deployment" in error["message"]
    running.shell("systemctl stop holder")
    assert unlock(operator) == (0, {"stopped": None, "taken_back": [], "recovered": [], "unrecorded": None})


def test_unlock_names_the_host_twice_and_one_that_is_away_says_so(operator: Operator, tmp_path: Path) -> None:
    words = ("deploy", "unlock", operator.inventory, "--host", "web1", "--confirm")
    assert operator.opsctl(*words, "web2")[0] == 2
    away = tmp_path / "away.toml"
    away.write_text(operator.inventory.read_text().replace("timeout_s", "port = 9\ntimeout_s"))
    assert operator.opsctl("deploy", "status", away)[0] == 10
