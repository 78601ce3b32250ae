"""Probes of files: settings, passwords, state, and whether what shall be backed up can be read."""

import os
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from opsctl.core.look import Look, Seen, bad, good
from opsctl.core.machine import MachineSection
from opsctl.core.runner import Runner
from opsctl.overview.probes.keys import open_to_others
from opsctl.stack.accounts import accounts
from opsctl.stack.nginx import read_nginx
from opsctl.stack.rooted import below
from opsctl.stack.settings import DatabaseSection, NginxSection, SiteSection


def settings_probes(path: Path, machine: MachineSection) -> list[Look]:
    """The settings cannot be changed by others, and state has a place."""
    return [
        Look("files.settings", "the settings are safe", "only their owner may change them", partial(_settings, path)),
        Look(
            "files.state",
            "state and locks have a place",
            "directories that this user may write to",
            partial(_writable, (machine.state_dir, machine.lock_dir)),
        ),
    ]


def _settings(path: Path, host: Runner) -> Seen:
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return bad(f"{path} can be changed by others", f"chmod go-w {path}")
    return good(str(path))


def _writable(directories: Sequence[Path], host: Runner) -> Seen:
    for directory in directories:
        place = next(place for place in (directory, *directory.parents) if place.exists())
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            return bad(f"this user may not write to {place}", f"install -d -m 750 -o $USER {directory}")
    return good(", ".join(str(directory) for directory in directories))


def password_probes(database: DatabaseSection) -> list[Look]:
    """The files with the database's passwords can be read by their owner only."""
    return [
        Look(
            f"files.{account.role}_password",
            f"the password of {account.user} is private",
            "a file of mode 0600, or unix_socket authentication",
            partial(_password, account.password_file),
        )
        for account in accounts(database)
    ]


def _password(file: Path | None, host: Runner) -> Seen:
    if file is None:
        return good("unix_socket authentication, no password")
    if not file.is_file():
        return bad(f"{file} is not there", "opsctl init")
    if open_to_others(file):
        return bad(f"{file} can be read by others", f"chmod 600 {file}")
    return good(str(file))


def stack_probes(root: Path, sites: Sequence[SiteSection], nginx: NginxSection) -> list[Look]:
    """Everything that the settings name is there and can be read."""
    probes = [
        Look(
            f"site.{site.name.replace('-', '_')}",
            f"the site '{site.name}' can be read",
            "its paths, configuration and files with secrets are there",
            partial(_site, root, site),
            needs_root=True,
        )
        for site in sites
    ]
    if nginx.enabled:
        probes.append(
            Look(
                "nginx.config",
                "nginx's configuration is understood",
                "every file of it can be read",
                partial(_nginx, root, nginx),
            )
        )
    return probes


def _site(root: Path, site: SiteSection, host: Runner) -> Seen:
    named = (*site.paths, *site.secret_files, *(path for path in (site.config, site.code, site.uploads) if path))
    for path in named:
        place = below(root, path)
        if not place.exists():
            return bad(f"{path} is not there", f"correct [[sites]] '{site.name}' in the settings")
        if not os.access(place, os.R_OK):
            return bad(f"{path} cannot be read by this user", "run opsctl as root")
    return good(f"{len(named)} paths")


def _nginx(root: Path, nginx: NginxSection, host: Runner) -> Seen:
    found = read_nginx(root, nginx.config)
    for key in found.private_keys:
        if not below(root, key).exists():
            return bad(f"the private key {key} is not there", "nginx -t")
    return good(f"{len(found.files)} files, {len(found.server_names)} server names")
