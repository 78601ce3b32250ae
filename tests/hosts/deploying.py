"""The operator's machine of these tests: an inventory, a key to sign plans with, and opsctl."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.core.signing import allowed_signers_line, create_key
from tests.hosts.host import Host

STACK = """
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
"""


@dataclass(frozen=True)
class Operator:
    """The operator's machine: settings, the inventory of one host, the plan that was last made."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> "Operator":
        """Make the settings and a key."""
        create_key(directory / "key", "operator@here")
        (directory / "allowed").write_text(allowed_signers_line("operator@here", directory / "key.pub"))
        (directory / "opsctl.toml").write_text(
            f"""[stack]
name = "acme"
[machine]
place = "operator"
state_dir = "{directory}/state"
lock_dir = "{directory}/lock"
[trust]
signer = "operator@here"
signing_key = "{directory}/key"
allowed_signers = "{directory}/allowed"
"""
        )
        return cls(directory)

    @property
    def inventory(self) -> Path:
        """The inventory."""
        return self.directory / "acme.toml"

    @property
    def kept(self) -> Path:
        """The plan that was kept."""
        return self.directory / "web1.plan.json"

    def describe(self, host: Host, text: str) -> None:
        """Write the inventory of a host: `text` is all but who comes in, and where."""
        stack = STACK.format(
            key=(host.place / "identity.pub").read_text().strip(),
            gateway=host.gateway,
            address=host.address,
            host_key=" ".join(host.host_key.split()[:2]),
            key_file=host.identity,
        )
        self.inventory.write_text(stack + text)

    def opsctl(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        """Run a command; return its exit code and its document."""
        arguments = [sys.executable, "-m", "opsctl", *map(str, words), "--json"]
        settings = self.directory / "opsctl.toml"
        done = subprocess.run([*arguments, "--config", settings], capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def plan(self, *words: str) -> list[dict[str, Any]]:
        """The changes of the host; its plan is kept."""
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
