"""An operator's machine in a directory, from which tests deploy small things to hosts."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.cli.main import run
from opsctl.core.machine import TrustSection
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.plan import Plan, Target, make_plan
from opsctl.deploy.reach import agent_on, target_of
from opsctl.deploy.resources import Desired, Resource
from opsctl.deploy.run import save
from tests.hosts.host import Host

SETTINGS = """[stack]
name = "acme"
[machine]
place = "{place}"
state_dir = "{state}"
lock_dir = "{state}/lock"
[trust]
signer = "operator@here"
signing_key = "{directory}/key"
allowed_signers = "{directory}/allowed"
"""
_STACK = """[stack]
name = "acme"
region = "here"
residency = "EU"
[contacts]
security = "mailto:security@acme.example"
security_expires = "2027-06-30T00:00:00Z"
[access]
user = "root"
keys = ["{key}"]
"""
_HOST = """[[hosts]]
name = "{name}"
address = "{address}"
host_key = "{host_key}"
key_file = "{key_file}"
timeout_s = {timeout_s}
"""


@dataclass(frozen=True)
class Desk:
    """The operator's machine: settings, a key to sign plans with, an inventory."""

    directory: Path
    inventory: Path

    def opsctl(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        """Run a command; return its exit code and its document."""
        code, said = self._run(*words, "--json")
        return code, json.loads(said)

    def shown(self, *words: str | Path) -> str:
        """What a command shows to a person."""
        return self._run(*words)[1]

    def _run(self, *words: str | Path) -> tuple[int, str]:
        """Run a command in this process: starting a new one takes longer than most of what it does."""
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = run([*map(str, words), "--config", str(self.directory / "opsctl.toml")])
        return code, said.getvalue()

    @contextlib.contextmanager
    def started(self, *words: str | Path) -> Iterator["subprocess.Popen[str]"]:
        """A command that runs meanwhile; it has ended by itself when the block has."""
        argv = [sys.executable, "-m", "opsctl", *map(str, words), "--json", "--config", f"{self.directory}/opsctl.toml"]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        try:
            yield child
        except BaseException:
            child.kill()
            raise
        finally:
            child.wait()

    def plan(self, name: str, *resources: Resource, kept_as: str = "plan") -> Path:
        """A signed plan for a host with nothing in it but these resources; the file that it is kept in."""
        inventory = load_inventory(self.inventory, ())
        target = target_of(inventory, inventory.host(name))
        directory = self.directory / kept_as
        directory.mkdir(exist_ok=True)
        trust = TrustSection(
            signer="operator@here", signing_key=self.directory / "key", allowed_signers=self.directory / "allowed"
        )
        return save(self.plan_of(target, Desired(resources=resources)), directory, trust)

    def plan_of(self, target: Target, desired: Desired) -> Plan:
        """A plan that is not kept."""
        with agent_on(target, target.user) as agent:
            seen = agent.observe(desired.resources)
        return make_plan(desired, seen, stack="acme", target=target, by="operator@here")


def desk(directory: Path, hosts: dict[str, Host], *, timeout_s: float = 30) -> Desk:
    """An operator's machine with an inventory of these hosts, which are deployed to as root."""
    create_key(directory / "key", "operator@here")
    (directory / "allowed").write_text(allowed_signers_line("operator@here", directory / "key.pub"))
    text = SETTINGS.format(place="operator", directory=directory, state=directory / "state")
    (directory / "opsctl.toml").write_text(text)
    first = next(iter(hosts.values()))
    inventory = _STACK.format(key=(first.place / "identity.pub").read_text().strip())
    for name, host in hosts.items():
        host_key = " ".join(host.host_key.split()[:2])
        inventory += _HOST.format(
            name=name, address=host.address, host_key=host_key, key_file=host.identity, timeout_s=timeout_s
        )
    (directory / "acme.toml").write_text(inventory)
    return Desk(directory, directory / "acme.toml")
