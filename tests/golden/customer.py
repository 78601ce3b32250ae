"""The customer whose repository was recorded, and the settings of the machines that work for it."""

import shutil
from pathlib import Path
from typing import Any

from opsctl.core.settings_example import render
from opsctl.settings import Settings

GOLDEN = Path(__file__).parent
KEYS = GOLDEN / "keys"
FORMATS = sorted(path for path in GOLDEN.glob("format-*"))

STACK = "golden"
SIGNER = "host@golden"
SITE_URL = "https://golden.example"
ROWS_AT_BACKUP = 20
ROWS_SHIPPED = 5
UPLOADS = 3
_PRIVATE = ("identity.txt", "keys-identity.txt", "signing_key")


def settings(directory: Path, repository: Path, *, sections: dict[str, Any]) -> Path:
    """Write the settings of one machine into `directory`: `sections`, and the keys that all formats have in common."""
    keys = directory / "keys"
    shutil.copytree(KEYS, keys)
    for name in _PRIVATE:
        (keys / name).chmod(0o600)
    (directory / "scratch").mkdir()
    values = {
        **sections,
        "machine": {"place": "all", "state_dir": directory / "state", "lock_dir": directory / "locks"},
        "trust": {"signer": SIGNER, "signing_key": keys / "signing_key", "allowed_signers": keys / "allowed_signers"},
        "repositories": [{"name": "local", "path": repository}],
        "drill": {
            "identity_files": [keys / "identity.txt"],
            "keys_identity_files": [keys / "keys-identity.txt"],
            "scratch_dir": directory / "scratch",
        },
    }
    config = directory / "opsctl.toml"
    config.write_text(render(Settings, values, heading=("Settings for a recorded repository.",)))
    return config
