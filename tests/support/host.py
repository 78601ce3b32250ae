"""A `Host` for tests: a running server's accounts, new keys and identities, a directory as repository, a ledger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyrage

from backup.context import Host
from backup.settings import BackupSection, BinlogSection, ObjectivesSection
from opsctl.core.ledger import SqliteLedger
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.progress import Progress, Silent
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.core.store import Store
from opsctl.core.store.directory import DirectoryStore
from opsctl.stack.accounts import EXPORT_GRANTS
from opsctl.stack.settings import DatabaseSection, NginxSection, SiteSection, StackSection
from restore_drill.context import DrillHost
from restore_drill.settings import DrillSection
from tests.support.mariadb import Server

STACK = "acme"
SIGNER = "host@acme"

# What people choose, and what breaks careless quoting.
BACKUP_PASSWORD = """b#a'c"k\\u p; $1 = [x]"""
EXPORT_PASSWORD = """e"x'p\\#"""
SHIP_PASSWORD = """s'h#i"p\\ ;"""

_ACCOUNTS = (
    "CREATE DATABASE IF NOT EXISTS opsctl",
    "CREATE TABLE IF NOT EXISTS opsctl.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL)"
    " ENGINE=InnoDB",
    "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REFERENCES ON *.* TO opsctl_backup@localhost",
    "GRANT RELOAD, BINLOG MONITOR, REPLICATION SLAVE ON *.* TO opsctl_ship@localhost",
    "GRANT SELECT, INSERT, UPDATE ON opsctl.heartbeat TO opsctl_ship@localhost",
    f"GRANT {', '.join(grant.privilege for grant in EXPORT_GRANTS)} ON *.* TO opsctl_export@localhost",
)


def identity_file(directory: Path) -> Path:
    """The identity that opens data archives of the host made in `directory`."""
    return directory / "identities" / "data.txt"


def keys_identity_file(directory: Path) -> Path:
    """The identity that opens its keys archives."""
    return directory / "identities" / "keys.txt"


def make_host(
    directory: Path,
    server: Server,
    *,
    root: Path | None = None,
    sites: Sequence[SiteSection] = (),
    nginx: NginxSection | None = None,
    config_paths: Sequence[Path] = (),
    store: Store | None = None,
    progress: Progress | None = None,
    backup: dict[str, Any] | None = None,
    binlog: dict[str, Any] | None = None,
) -> Host:
    """Create the accounts on the server, and all files of a host below `directory` (short enough, not in a repository).

    `root` is by default `directory/root`, made if it is not there. `backup` and `binlog` are more settings of their
    sections. The repository is `directory/repository`; another `store` takes its place.
    """
    root = directory / "root" if root is None else root
    for path in (root, directory / "identities", directory / "etc", directory / "state", directory / "locks"):
        path.mkdir(parents=True, exist_ok=True)
    _create_accounts(directory, server)
    trust = _trust(directory)
    settings = directory / "etc" / "opsctl.toml"
    settings.write_text('[stack]\nname = "acme"\n')
    recipients = {
        "recipients": (_identity(identity_file(directory)),),
        "keys_recipients": (_identity(keys_identity_file(directory)),),
    }
    return Host(
        stack=StackSection(name=STACK, root=root),
        database=DatabaseSection(
            socket=server.socket,
            backup_password_file=directory / "etc" / "backup.password",
            ship_password_file=directory / "etc" / "ship.password",
            export_user="opsctl_export",
            export_password_file=directory / "etc" / "export.password",
            config_paths=tuple(config_paths),
        ),
        sites=tuple(sites),
        nginx=NginxSection(enabled=False) if nginx is None else nginx,
        backup=BackupSection.model_validate({**recipients, **(backup or {})}),
        binlog=BinlogSection.model_validate(binlog or {}),
        objectives=ObjectivesSection(),
        machine=MachineSection(place="all", state_dir=directory / "state", lock_dir=directory / "locks"),
        trust=trust,
        repository=store.directory if isinstance(store, DirectoryStore) else directory / "repository",
        store=DirectoryStore(directory / "repository") if store is None else store,
        ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        progress=Silent() if progress is None else progress,
        settings_files=(settings,),
    )


def keys_file(restored: Path) -> Path | None:
    """The database's key file in what a restore left, wherever below `keys` it is; None without encryption."""
    return next((path for path in (restored / "keys").rglob("*") if path.is_file()), None)


def make_drill_host(host: Host, *, buffer_pool_mb: int = 64) -> DrillHost:
    """What restores from the repository of a host that `make_host` made: the same machine, with its identities."""
    return drill_host_of(host.machine.state_dir.parent, buffer_pool_mb=buffer_pool_mb)


def drill_host_of(directory: Path, *, buffer_pool_mb: int = 64) -> DrillHost:
    """What restores from what `make_host` left in a directory."""
    return DrillHost(
        stack=STACK,
        drill=DrillSection(
            identity_files=(identity_file(directory),),
            keys_identity_files=(keys_identity_file(directory),),
            scratch_dir=directory,
            buffer_pool_mb=buffer_pool_mb,
        ),
        objectives=ObjectivesSection(),
        machine=MachineSection(place="all", state_dir=directory / "state", lock_dir=directory / "locks"),
        trust=_trust(directory),
        repository="local",
        store=DirectoryStore(directory / "repository"),
        off_host=False,
        ledger=SqliteLedger(directory / "state" / "ledger.sqlite"),
        progress=Silent(),
    )


def _create_accounts(directory: Path, server: Server) -> None:
    for account, password in (("backup", BACKUP_PASSWORD), ("ship", SHIP_PASSWORD), ("export", EXPORT_PASSWORD)):
        file = directory / "etc" / f"{account}.password"
        file.write_text(password + "\n")
        file.chmod(0o600)
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER IF NOT EXISTS opsctl_{account}@localhost IDENTIFIED BY %s", (password,))
    server.sql(*_ACCOUNTS)


def _trust(directory: Path) -> TrustSection:
    key = directory / "etc" / "signing_key"
    if not key.exists():
        create_key(key, SIGNER)
    allowed = directory / "etc" / "allowed_signers"
    allowed.write_text(allowed_signers_line(SIGNER, key.with_suffix(".pub")))
    return TrustSection(signer=SIGNER, signing_key=key, allowed_signers=allowed)


def _identity(file: Path) -> str:
    """The recipient of the identity in `file`, which is made if it is not there."""
    if not file.exists():
        file.write_text(f"{pyrage.x25519.Identity.generate()}\n")
        file.chmod(0o600)
    return str(pyrage.x25519.Identity.from_str(file.read_text().strip()).to_public())
