"""`opsctl deploy plan`: the round trips to an unchanged host; ten hosts at 50 ms against one; against ansible-core.

The hosts are booted containers of tests/hosts on this machine, so that all of them share its processors with the
operator's side: ten hosts are ten addresses that lead to two of them, each asked as a host of its own would be.
The 50 ms are added by a proxy (delay.py), where the kernel may have no netem. ansible-core makes the same changes by a
task for each resource, and is given pipelining and one connection for all.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import playbook
from benchmarks.delay import slow_ways
from benchmarks.harness import compare, show
from opsctl.core.process import Command, Completed
from opsctl.core.runner_ssh import SshRunner
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.run import plan_hosts
from tests.hosts.bases import deployed_base
from tests.hosts.host import Host
from tests.hosts.operators import Operator

ROUND_TRIP_S = 0.05
MANY = 10
SITE = """
[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["www.acme.example"]
"""
_HOST = """
[[hosts]]
name = "{name}"
address = "{address}"
host_key = "{host_key}"
key_file = "{key_file}"
"""


def main() -> None:
    """Measure and print the figures."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        hosts = [Host.make(deployed_base(), each) for each in ("web1", "other")]
        try:
            for host in hosts:
                host.boot()
            measure(Path(name), hosts)
        finally:
            for host in hosts:
                host.destroy()


def measure(directory: Path, hosts: list[Host]) -> None:
    """Compare ten hosts with one while they are bare; then deploy one, and look at it again and again."""
    operators = {1: _fleet(directory / "one", hosts, 1), MANY: _fleet(directory / "many", hosts, MANY)}
    ways = {_address(number): hosts[number % len(hosts)].address for number in range(MANY)}
    with slow_ways(ways, ROUND_TRIP_S):
        figures = compare(
            {
                f"plan of {count} at {ROUND_TRIP_S * 1000:g} ms": _plan(each, "--as", "root")
                for count, each in operators.items()
            }
        )
    show("hosts at the same time", figures, "aim: ten at most 2.5 × one")
    host, operator = hosts[0], _operator(directory / "deployed")
    operator.describe(host, SITE)
    operator.plan("--as", "root")
    operator.apply()
    assert operator.plan() == []
    _count_round_trips(operator, host)
    ansible = _ansible(directory / "ansible", operator, host)
    figures = compare({"opsctl deploy plan": _plan(operator), "ansible-playbook, nothing to change": ansible})
    show("an unchanged host again", figures, "aim: ansible-core at least 5 × opsctl")


def _operator(directory: Path) -> Operator:
    directory.mkdir()
    return Operator.make(directory)


def _address(number: int) -> str:
    """An address of this machine that leads to a host."""
    return f"127.0.77.{number + 1}"


def _fleet(directory: Path, hosts: list[Host], count: int) -> Operator:
    """An operator whose inventory has so many hosts, each at an address of its own."""
    operator = _operator(directory)
    operator.describe(hosts[0], "")
    first, *more = [(host.place / "identity.pub").read_text().strip() for host in hosts]
    keys = ", ".join(f'"{key}"' for key in (first, *more))
    stack = operator.inventory.read_text().split("[[hosts]]")[0].replace(f'"{first}"', keys)
    for number in range(count):
        host = hosts[number % len(hosts)]
        key = " ".join(host.host_key.split()[:2])
        stack += _HOST.format(name=f"web{number}", address=_address(number), host_key=key, key_file=host.identity)
    operator.inventory.write_text(stack)
    return operator


def _plan(operator: Operator, *words: str) -> Callable[[], None]:
    settings = f"{operator.directory}/opsctl.toml"
    argv = [sys.executable, "-m", "opsctl", "deploy", "plan", str(operator.inventory), *words, "--config", settings]

    def run() -> None:
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)

    return run


def _count_round_trips(operator: Operator, host: Host) -> None:
    """Count the commands of a plan, and how often the two sides take turns on the wire, the handshake among it."""
    commands, run = list[str](), SshRunner.run

    def counted(runner: SshRunner, command: Command, **more: Any) -> Completed:
        commands.append(command.program)
        return run(runner, command, **more)

    near = operator.inventory.read_text()
    far = operator.inventory.with_name("far.toml")
    far.write_text(near.replace(f'address = "{host.address}"', f'address = "{_address(0)}"'))
    SshRunner.run = counted  # type: ignore[method-assign,assignment]
    try:
        with slow_ways({_address(0): host.address}, 0.0) as counter:
            [seen] = plan_hosts(load_inventory(far, ()), (), Who("operator", "here"), user=None)
    finally:
        SshRunner.run = run  # type: ignore[method-assign]
    assert seen.plan is not None, seen.error
    assert not seen.plan.changes
    print(f"\nplan of an unchanged host: {len(commands)} command(s) over SSH  (aim: at most 5)")
    print(f"  {counter.turns} turns on the wire, with SSH's own handshake")


def _ansible(directory: Path, operator: Operator, host: Host) -> Callable[[], None]:
    """The same changes by ansible-core, made once, so that there is nothing to do."""
    directory.mkdir()
    program, inventory = playbook.install(), load_inventory(operator.inventory, ())
    play = playbook.write(directory, desired(inventory, inventory.hosts[0]))
    settings = playbook.configure(directory, host.known_hosts)
    account = ["-u", inventory.access.user, "--private-key", str(host.identity)]
    argv = [str(program), "-i", f"{host.address},", *account, str(play)]

    def run() -> None:
        environment = {**os.environ, "ANSIBLE_CONFIG": str(settings)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        recap = done.stdout.splitlines()[-2:]
        if started and not any("changed=0" in line for line in recap):
            raise AssertionError(f"ansible changed what is as it should be: {done.stdout[-3000:]}")
        started.append(True)

    started: list[bool] = []
    run()
    return run
