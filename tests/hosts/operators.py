"""The operator's machine of these tests: settings, a key to sign plans with, an inventory of hosts, and opsctl."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyrage

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
user = "{user}"
keys = {keys}
ssh_from = {gateways}
"""
_HOST = """
[[hosts]]
name = "{name}"
address = "{address}"
host_key = "{host_key}"
key_file = "{key_file}"
timeout_s = {timeout_s}
"""


@dataclass(frozen=True)
class Operator:
    """The operator's machine, all in a directory."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Make the settings and a key; `describe` writes the inventory."""
        create_key(directory / "key", "operator@here")
        (directory / "allowed").write_text(allowed_signers_line("operator@here", directory / "key.pub"))
        text = SETTINGS.format(place="operator", directory=directory, state=directory / "state")
        (directory / "opsctl.toml").write_text(text)
        return cls(directory)

    @property
    def inventory(self) -> Path:
        """The inventory."""
        return self.directory / "acme.toml"

    @property
    def kept(self) -> Path:
        """The plan that was kept of the host called web1."""
        return self.directory / "web1.plan.json"

    def describe(
        self, hosts: Host | Mapping[str, Host], text: str = "", *, user: str = "ops", timeout_s: float = 30
    ) -> Self:
        """Write the inventory of hosts by their names, or of one called web1, which `user` deploys to; return itself.

        `text` is all but who comes in, and where.
        """
        named = {"web1": hosts} if isinstance(hosts, Host) else hosts
        stack = _STACK.format(
            user=user,
            keys=json.dumps([(host.place / "identity.pub").read_text().strip() for host in named.values()]),
            gateways=json.dumps([host.gateway for host in named.values()]),
        )
        for name, host in named.items():
            host_key = " ".join(host.host_key.split()[:2])
            stack += _HOST.format(
                name=name, address=host.address, host_key=host_key, key_file=host.identity, timeout_s=timeout_s
            )
        self.inventory.write_text(stack + text)
        return self

    def open_secrets(self) -> str:
        """Make an identity that opens the secrets beside the inventory; return whom they are encrypted for."""
        identity = pyrage.x25519.Identity.generate()
        file = self.directory / "identity"
        file.write_text(f"{identity}\n")
        file.chmod(0o600)
        with (self.directory / "opsctl.toml").open("a") as settings:
            settings.write(f'[deploy]\nidentity_files = ["{file}"]\n')
        return str(identity.to_public())

    def keep_secret(self, name: str, text: str) -> None:
        """Put a secret beside the inventory."""
        words = self.words("deploy", "secret", "set", self.inventory, name)
        done = subprocess.run(words, input=text.encode(), capture_output=True, check=True)
        assert text not in (done.stdout + done.stderr).decode()

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

    def words(self, *words: str | Path) -> list[str]:
        """A command as a process of its own is started with it."""
        return [sys.executable, "-m", "opsctl", *map(str, words), "--json", "--config", f"{self.directory}/opsctl.toml"]

    @contextlib.contextmanager
    def started(self, *words: str | Path) -> Iterator["subprocess.Popen[str]"]:
        """A command that runs meanwhile; it has ended by itself when the block has."""
        child = subprocess.Popen(self.words(*words), stdout=subprocess.PIPE, text=True)
        try:
            yield child
        except BaseException:
            child.kill()
            raise
        finally:
            child.wait()

    def plan(self, *words: str) -> list[dict[str, Any]]:
        """The changes of the only host; its plan is kept."""
        code, document = self.opsctl("deploy", "plan", self.inventory, "--out", self.directory, *words)
        [host] = document["hosts"]
        assert (code, host["error"]) == (0, None)
        changes: list[dict[str, Any]] = host["changes"]
        return changes

    def apply(self) -> None:
        """Make the changes of the plan."""
        assert self.apply_again()["result"] == "applied", "there was something to change"

    def apply_again(self) -> dict[str, Any]:
        """Make the changes of the plan, if there are any; the answer."""
        code, done = self.opsctl("deploy", "apply", self.kept, "--why", "a test")
        assert code == 0, done
        [host] = done["hosts"]
        found: dict[str, Any] = host
        return found

    def plan_part(self, name: str, *resources: Resource, kept_as: str = "plan") -> Path:
        """A signed plan for a host with nothing in it but these resources; the file that it is kept in."""
        inventory = load_inventory(self.inventory, ())
        target = target_of(inventory, inventory.host(name))
        directory = self.directory / kept_as
        directory.mkdir(exist_ok=True)
        trust = TrustSection(
            signer="operator@here", signing_key=self.directory / "key", allowed_signers=self.directory / "allowed"
        )
        return save(plan_of(target, Desired(resources=resources)), directory, trust)


def plan_of(target: Target, desired: Desired) -> Plan:
    """A plan that is not kept."""
    with agent_on(target, target.user) as agent:
        seen = agent.observe(desired.resources)
    return make_plan(desired, seen, stack="acme", target=target, by="operator@here")
