"""`opsctl init`: finds the stack, writes commented settings, makes keys and passwords, and says what is left to do.

Running it again keeps every file that is there and makes those that are missing.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from opsctl.core.settings_example import render
from opsctl.overview.findings import Findings, look_around
from opsctl.overview.new_files import Made, NewFiles
from opsctl.overview.new_keys import make_identity, make_signing
from opsctl.settings import HEADING, Settings, load_settings
from opsctl.stack.accounts import accounts, accounts_sql
from opsctl.stack.settings import DatabaseSection

EXPORT_USER = "opsctl_export"
WATCH_USER = "opsctl_watch"


@dataclass(frozen=True)
class Wanted:
    """What a new machine shall be. `config` is the settings file; everything else is made beside it.

    Without `recipients` a new identity is made, which the operator has to take away, unless drills run here too.
    """

    config: Path
    stack: str
    repository: Path
    root: Path = Path("/")
    place: Literal["host", "all"] = "host"
    recipients: Sequence[str] = ()
    keys_recipients: Sequence[str] = ()
    state_dir: Path | None = None
    lock_dir: Path | None = None
    scratch_dir: Path | None = None


def stack_name(host_name: str) -> str:
    """The stack's name where none is given: the host's own, as settings allow it."""
    return re.sub(r"[^a-z0-9]+", "-", host_name.partition(".")[0].lower()).strip("-") or "stack"


@dataclass(frozen=True)
class Initialised:
    """What was found and made, and what a person has to do next."""

    config: Path
    found: tuple[str, ...]
    not_understood: tuple[str, ...]
    files: tuple[Made, ...]
    next_steps: tuple[str, ...]


def initialise(wanted: Wanted, files: NewFiles) -> Initialised:
    """Do it. Raises OpsError when a file cannot be written, SettingsError for settings that are there and wrong."""
    if wanted.config.exists():
        return _complete(wanted, files)
    return set_up(wanted, look_around(wanted.root), files)


def set_up(wanted: Wanted, findings: Findings, files: NewFiles) -> Initialised:
    """Make keys, passwords, SQL and settings for what was found."""
    directory = wanted.config.parent
    signer = f"host@{wanted.stack}"
    signing = make_signing(files, directory, signer)
    identities = _Identities(directory / "identity.txt", directory / "keys-identity.txt")
    recipients = list(wanted.recipients) or [
        make_identity(files, identities.use(identities.data), "the identity that opens data archives")
    ]
    keys_recipients = list(wanted.keys_recipients) or [
        make_identity(files, identities.use(identities.keys), "the identity that opens keys archives")
    ]
    users = {"export_user": EXPORT_USER, "watch_user": WATCH_USER}
    database = {**findings.sections.get("database", {}), **users, **_password_files(directory)}
    _make_accounts(files, directory, DatabaseSection.model_validate(database))
    machine = {"place": wanted.place, "state_dir": wanted.state_dir, "lock_dir": wanted.lock_dir}
    values: dict[str, Any] = {
        "stack": {"name": wanted.stack, "root": wanted.root},
        "machine": {key: value for key, value in machine.items() if value is not None},
        "trust": {"signer": signer, "signing_key": signing.key, "allowed_signers": signing.allowed_signers},
        "repositories": [{"name": "local", "path": wanted.repository}],
        **findings.sections,
        "database": database,
        "backup": {"recipients": recipients, "keys_recipients": keys_recipients},
    }
    if wanted.place == "all":
        values["drill"] = _drill(wanted, identities)
    files.write(wanted.config, "the settings", lambda: _settings_text(values))
    steps = _next_steps(wanted, directory, identities.made if wanted.place == "host" else [])
    return Initialised(wanted.config, findings.found, findings.not_understood, tuple(files.made), tuple(steps))


@dataclass
class _Identities:
    data: Path
    keys: Path
    made: list[Path] = field(default_factory=list)

    def use(self, path: Path) -> Path:
        self.made.append(path)
        return path


def _drill(wanted: Wanted, identities: _Identities) -> Mapping[str, Any]:
    values: dict[str, Any] = {
        "identity_files": [path for path in (identities.data,) if path in identities.made],
        "keys_identity_files": [path for path in (identities.keys,) if path in identities.made],
    }
    return values if wanted.scratch_dir is None else {**values, "scratch_dir": wanted.scratch_dir}


def _settings_text(values: Mapping[str, Any]) -> str:
    return render(Settings, values, heading=HEADING)


def _password_files(directory: Path) -> dict[str, Path]:
    return {
        "backup_password_file": directory / "secrets" / "backup.password",
        "ship_password_file": directory / "secrets" / "ship.password",
        "export_password_file": directory / "secrets" / "export.password",
        "watch_password_file": directory / "secrets" / "watch.password",
    }


def _make_accounts(files: NewFiles, directory: Path, database: DatabaseSection) -> None:
    """Passwords, each in a file of its own, and the SQL, which holds their hashes only."""
    passwords = {}
    for user, file in ((each.user, each.password_file) for each in accounts(database)):
        if file is None:
            return
        fresh = secrets.token_urlsafe(24)
        files.write(file, f"the password of {user}", lambda fresh=fresh: f"{fresh}\n", mode=0o600)  # type: ignore[misc]
        passwords[user] = SecretStr(file.read_text().rstrip("\r\n") if file.exists() else fresh)
    files.write(
        accounts_file(directory), "the SQL of these accounts", lambda: accounts_sql(database, passwords), mode=0o600
    )


def accounts_file(directory: Path) -> Path:
    """Where the SQL of these accounts lies."""
    return directory / "accounts.sql"


def _complete(wanted: Wanted, files: NewFiles) -> Initialised:
    """Settings are there: keep them, and make what they name and what is missing."""
    settings = load_settings(wanted.config).settings
    directory = wanted.config.parent
    files.write(wanted.config, "the settings", str)
    if settings.trust.signing_key.parent == directory:
        make_signing(files, directory, settings.trust.signer)
    if settings.database is not None:
        _make_accounts(files, directory, settings.database)
    return Initialised(
        wanted.config,
        (f"settings that are there already: {wanted.config}",),
        (),
        tuple(files.made),
        tuple(_next_steps(wanted, directory, [])),
    )


def _next_steps(wanted: Wanted, directory: Path, identities: Sequence[Path]) -> list[str]:
    steps = [f"mariadb < {accounts_file(directory)}"]
    if identities:
        names = " ".join(str(path) for path in identities)
        steps.append(f"take the identities away, to the drill host and into a safe, then: shred -u {names}")
    config = (
        "" if wanted.config in {Path("/etc/opsctl/opsctl.toml"), Path("opsctl.toml")} else f" --config {wanted.config}"
    )
    return [*steps, f"opsctl doctor{config}", f"opsctl backup run{config}"]
