"""Several hosts and several operators at once: what one does or suffers is nothing to the others."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from opsctl.deploy.resources import Script, file
from tests.hosts.host import Host
from tests.hosts.operators import Operator
from tests.support.debian import Base

# Long enough for a busy machine to answer, short enough to wait for a host that never will.
PATIENCE_S = 5


@pytest.fixture(scope="module")
def pair(stack_only: Callable[[str], Host]) -> dict[str, Host]:
    return {"web1": stack_only("web1"), "web2": stack_only("web2")}


@pytest.fixture(scope="module")
def stack_only(customer_base: Base) -> Iterator[Callable[[str], Host]]:
    """Makes running hosts; opsctl is not installed, since nothing here needs it."""
    made: list[Host] = []

    def make(name: str) -> Host:
        made.append(Host.make(customer_base, name))
        made[-1].boot()
        return made[-1]

    yield make
    for host in made:
        host.destroy()


@pytest.fixture(scope="module")
def operator(pair: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator.make(tmp_path_factory.mktemp("operator"))
    return made.describe(pair, user="root", timeout_s=PATIENCE_S)


@contextlib.contextmanager
def hung(host: Host) -> Iterator[None]:
    """Its sshd takes connections and never says a word."""
    host.shell("systemctl kill --signal=STOP --kill-whom=main ssh.service")
    try:
        yield
    finally:
        host.shell("systemctl kill --signal=CONT --kill-whom=main ssh.service")


def test_two_stacks_are_deployed_at_the_same_time(
    pair: dict[str, Host], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours, theirs = (
        Operator.make(tmp_path_factory.mktemp(name)).describe({name: host}, user="root") for name, host in pair.items()
    )
    first, second = (
        each.plan_part(name, file("/etc/stack", b"x")) for each, name in zip((ours, theirs), pair, strict=True)
    )
    with ours.started("deploy", "apply", first) as one, theirs.started("deploy", "apply", second) as two:
        results = [json.loads(child.communicate()[0])["result"] for child in (one, two)]
    assert results == ["applied", "applied"]


@contextlib.contextmanager
def meeting(count: int) -> Iterator[int]:
    """A TCP port where whoever comes waits until so many are there."""

    def receive() -> None:
        with contextlib.ExitStack() as stack:
            there = [stack.enter_context(server.accept()[0]) for _ in range(count)]
            for each in there:
                each.sendall(b"!")

    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - each host has its own way here
        server.settimeout(60)
        waiting = threading.Thread(target=receive, daemon=True)
        waiting.start()
        yield server.getsockname()[1]
        waiting.join()


def meets(host: Host, port: int) -> Script:
    """A change that ends only when the other host's is under way, too."""
    wait = f"import socket; assert socket.create_connection(('{host.gateway}', {port}), 30).recv(1)"
    do = f'python3 -c "{wait}"; touch /etc/met'
    return Script(name="meet", look="test ! -e /etc/met || echo met", wanted="met", do=do, undo="true", shown="meet")


def test_one_apply_changes_several_hosts_at_the_same_time(pair: dict[str, Host], operator: Operator) -> None:
    with meeting(len(pair)) as port:
        plans = [operator.plan_part(name, meets(host, port), kept_as="same") for name, host in pair.items()]
        code, document = operator.opsctl("deploy", "apply", *plans)
    assert (code, document["result"]) == (0, "applied")
    assert [each["host"] for each in document["hosts"]] == ["web1", "web2"]


def test_two_operators_on_one_host_come_one_after_the_other(
    pair: dict[str, Host], operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Operator.make(tmp_path_factory.mktemp("other")).describe(pair["web1"], user="root")
    both = enumerate((operator, other))
    plans = [each.plan_part("web1", file(f"/etc/of-{number}", b"x"), kept_as="both") for number, each in both]
    wait = ("--lock-wait", "120")
    with (
        operator.started("deploy", "apply", plans[0], *wait) as one,
        other.started("deploy", "apply", plans[1], *wait) as two,
    ):
        results = [json.loads(child.communicate()[0])["result"] for child in (one, two)]
    assert results == ["applied", "applied"]


def test_a_host_that_hangs_holds_up_no_other(pair: dict[str, Host], operator: Operator) -> None:
    plans = [operator.plan_part(name, file("/etc/hung", b"x"), kept_as="hung") for name in pair]
    with hung(pair["web2"]):
        code, document = operator.opsctl("deploy", "apply", *plans)
        assert (code, document["result"]) == (3, "partly")
        assert [each["result"] for each in document["hosts"]] == ["applied", "failed"]
        assert "cannot be reached" in document["hosts"][1]["error"]
        lines = operator.shown("deploy", "apply", *plans).splitlines()
        assert [line for line in lines if line.startswith("web2: not changed")]
        assert max(map(len, lines)) <= 80
        code, document = operator.opsctl("deploy", "plan", operator.inventory)
        assert (code, [each["error"] is None for each in document["hosts"]]) == (3, [True, False])


def test_two_plans_of_one_host_are_not_applied_together(operator: Operator) -> None:
    plans = [operator.plan_part("web1", file("/etc/twice", name), kept_as=name.decode()) for name in (b"one", b"two")]
    code, error = operator.opsctl("deploy", "apply", *plans)
    assert code == 2
    assert "two of these plans are of the same host" in error["message"]
