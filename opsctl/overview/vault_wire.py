"""Builds what the vault works with from the settings."""

import getpass
import os
import socket
from dataclasses import replace
from pathlib import Path

from opsctl.core.probe import Probe
from opsctl.core.progress import Progress, Silent
from opsctl.overview import wire
from opsctl.settings import Settings
from vault.context import Vault
from vault.probes import probes
from vault.verify.checkpoints import Custody
from vault.verify.drill import AuditChainCheck


def vault(settings: Settings, progress: Progress, *, at: Path | None = None) -> Vault:
    """The vault on the server of [database], or on the one with the socket `at`. Raises SettingsError."""
    found = Vault(settings.require_database().socket, settings.require_vault(), progress)
    return found if at is None else replace(found, socket=at)


def custody(settings: Settings) -> Custody:
    """The vault's checkpoints, in every repository."""
    settings.require_repository()
    stores = tuple(wire.store(settings, repository.name) for repository in settings.repositories)
    return Custody(settings.stack.name, stores, wire.verifier(settings))


def off_host(settings: Settings) -> bool:
    """Whether any repository survives the loss of the host."""
    return any(repository.off_host for repository in settings.repositories)


def vault_probes(settings: Settings) -> tuple[Probe, ...]:
    """What doctor looks at; nothing on a machine without a vault."""
    if settings.vault is None or settings.database is None:
        return ()
    return probes(vault(settings, Silent()))


def drill_checks(settings: Settings) -> tuple[AuditChainCheck, ...]:
    """What a drill checks besides; nothing for a stack without a vault."""
    return () if settings.vault is None else (AuditChainCheck(settings.vault.database, custody(settings)),)


def actor() -> str:
    """Who is at work here: the account that logged in, and this host."""
    name = os.environ.get("SUDO_USER") or getpass.getuser()
    return f"{name}@{socket.gethostname()}"


def origin() -> str:
    """Where that person is: the address they came from, or this host."""
    client = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return client or socket.gethostname()
