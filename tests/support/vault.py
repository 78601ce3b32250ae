"""A vault for tests: accounts with passwords that break careless quoting, on a running server."""

import secrets
from pathlib import Path
from typing import Any

from tests.support.mariadb import Server
from vault.context import Vault
from vault.migrate import initialise
from vault.settings import VaultSection

PASSWORD = """v#a'u"l\\t p; %s"""


def make_vault(server: Server, directory: Path, **more: Any) -> Vault:
    """A fresh vault with a name and accounts of its own; its files lie in `directory`."""
    name = secrets.token_hex(3)
    password = directory / "vault.password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    accounts = {f"{role}_user": f"{role}_{name}" for role in ("app", "importer", "reader", "eraser")}
    files = {f"{role}_password_file": password for role in ("app", "importer", "reader", "eraser")}
    settings = VaultSection.model_validate(
        {"database": f"vault_{name}", "media_dir": directory / "media", **accounts, **files, **more}
    )
    vault = Vault(server.socket, settings)
    initialise(vault)
    return vault
