"""The drill host of these tests: this machine, with the identities, and nothing of the host but its off-site copies."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage

from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.core.store.s3_connection import S3Bucket
from tests.support.sshd import Sshd


@dataclass(frozen=True)
class DrillHost:
    """The drill host: its settings, its identities, a directory to restore into."""

    directory: Path
    data: pyrage.x25519.Identity
    keys: pyrage.x25519.Identity

    @classmethod
    def make(cls, directory: Path, sshd: Sshd, folder: str, bucket: S3Bucket) -> "DrillHost":
        """Make identities, a key, and settings that know the off-site stores alone."""
        made = cls(directory, pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate())
        for name, identity in (("data", made.data), ("keys", made.keys)):
            (directory / f"{name}.identity").write_text(f"{identity}\n")
            (directory / f"{name}.identity").chmod(0o600)
        create_key(directory / "key", "drill@here")
        (directory / "scratch").mkdir(mode=0o711)
        server = sshd.server()
        (directory / "opsctl.toml").write_text(
            f"""[stack]
name = "acme"
[machine]
place = "drill_host"
state_dir = "{directory}/state"
lock_dir = "{directory}/lock"
[trust]
signer = "drill@here"
signing_key = "{directory}/key"
allowed_signers = "{directory}/allowed"
[[repositories]]
name = "offsite"
kind = "sftp"
host = "127.0.0.1"
port = {server.port}
user = "{server.user}"
key_file = "{server.key_file}"
host_keys = {json.dumps(server.host_keys)}
path = "{folder}"
[[repositories]]
name = "bucket"
kind = "s3"
bucket = "{bucket.bucket}"
endpoint = "{bucket.endpoint}"
path_style = true
credentials_file = "{bucket.credentials_file}"
[drill]
identity_files = ["{directory}/data.identity"]
keys_identity_files = ["{directory}/keys.identity"]
scratch_dir = "{directory}/scratch"
buffer_pool_mb = 64
"""
        )
        return made

    def believe(self, allowed_signers: Path) -> None:
        """Believe these signers, and itself."""
        own = allowed_signers_line("drill@here", self.directory / "key.pub")
        (self.directory / "allowed").write_text(allowed_signers.read_text() + own)

    def opsctl(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        """Run a command; return its exit code and its document."""
        arguments = [sys.executable, "-m", "opsctl", *map(str, words), "--json"]
        settings = self.directory / "opsctl.toml"
        done = subprocess.run([*arguments, "--config", settings], capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)
