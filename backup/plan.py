"""What a backup archives besides the database: file sets, and the secrets that are in none of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backup.context import Host
from backup.keys import OPTION_SECRET, PRIVATE_KEY, Secrets, find_secrets
from backup.manifest import KnownValueFact, Site, WebServer
from backup.tree import TreeOptions, real_roots
from opsctl.core.errors import SettingsError
from opsctl.stack.accounts import accounts
from opsctl.stack.nginx import NginxConfig, read_nginx
from opsctl.stack.rooted import as_on_host, below, resolve
from opsctl.stack.settings import SiteSection

NGINX = "nginx"
MARIADB = "mariadb"
# opsctl's own passwords and keys, wherever they come to lie in a tree that is archived.
OWN_SECRETS = Path("/etc/opsctl/secrets")


@dataclass(frozen=True)
class PlannedSet:
    """One files archive to be: its name, the host's paths in it, how they are read, and which uploads to count."""

    name: str
    paths: tuple[Path, ...]
    options: TreeOptions
    uploads: Path | None = None


@dataclass(frozen=True)
class Plan:
    """All files archives in order, the secrets, and what the manifest says of sites and web server."""

    sets: tuple[PlannedSet, ...]
    secrets: Secrets
    sites: tuple[Site, ...]
    web_server: WebServer | None


def make_plan(host: Host, encryption_files: Iterable[Path]) -> Plan:
    """Decide what goes where; `encryption_files` are the database's keys, as the server names them.

    Raises SettingsError or OpsError for paths that are not there, or that do not fit together.
    """
    root = host.stack.root
    nginx = read_nginx(root, host.nginx.config) if host.nginx.enabled else None
    sets = tuple(_sets(host, nginx))
    names = [planned.name for planned in sets]
    if len(set(names)) != len(names):
        raise SettingsError(f"two files archives would have one name, of {', '.join(sorted(names))}", where="sites")
    _keep_repository_out(host, sets)
    files = [*(nginx.secrets if nginx else ()), *(file for site in host.sites for file in _secret_files(site))]
    declared = dict.fromkeys(files, root) | dict(as_on_host(root, file) for file in encryption_files)
    own = [file for file in _own_secrets(host) if file not in declared]
    secrets = find_secrets(root, declared, (OWN_SECRETS, *own))
    web = WebServer(config=str(host.nginx.config), server_names=nginx.server_names) if nginx else None
    return Plan(sets, secrets, tuple(_site(site) for site in host.sites), web)


def _sets(host: Host, nginx: NginxConfig | None) -> Iterable[PlannedSet]:
    for site in host.sites:
        uploads = (site.uploads,) if site.uploads else ()
        real = resolve(host.stack.root, site.uploads)[1] if site.uploads else None
        yield PlannedSet(
            site.name, (*site.paths, *uploads), TreeOptions(exclude=site.exclude, uploads=real), site.uploads
        )
    if nginx is not None:
        paths = (*host.nginx.paths, *_outside(host, (*nginx.files, *nginx.certificates)))
        yield PlannedSet(NGINX, paths, TreeOptions(secret=PRIVATE_KEY))
    if host.database.config_paths:
        yield PlannedSet(MARIADB, host.database.config_paths, TreeOptions(secret=OPTION_SECRET))


def _outside(host: Host, files: Iterable[Path]) -> Iterable[Path]:
    """Those of nginx's files that do not lie, with all links to them, in its trees anyway."""
    trees = real_roots(host.stack.root, host.nginx.paths)
    for file in dict.fromkeys(files):
        links, real = resolve(host.stack.root, file)
        if not all(any(place.is_relative_to(tree) for tree in trees) for place in (*links, real)):
            yield file


def _secret_files(site: SiteSection) -> tuple[Path, ...]:
    """A site's configuration holds its database password, whether the settings say so or not."""
    return site.secret_files if site.config is None else (*site.secret_files, site.config)


def _own_secrets(host: Host) -> list[Path]:
    """Passwords and keys of opsctl itself, as paths of the host: secret where they are met, but not to be sought."""
    files = (*(each.password_file for each in accounts(host.database)), host.trust.signing_key)
    return [as_on_host(host.stack.root, file)[0] for file in files if file is not None]


def _keep_repository_out(host: Host, sets: Iterable[PlannedSet]) -> None:
    """Raise SettingsError when the repository lies in what is archived: each backup would hold all earlier ones."""
    repository = host.repository.resolve()
    for planned in sets:
        for tree in real_roots(host.stack.root, planned.paths):
            if repository.is_relative_to(below(host.stack.root, tree).resolve()):
                raise SettingsError(
                    f"the repository lies below {tree}, which is backed up into it",
                    where=str(repository),
                    hint="put it elsewhere, such as /var/backups/opsctl",
                )


def _site(site: SiteSection) -> Site:
    known = site.known_value
    return Site(
        name=site.name,
        kind=site.kind,
        config=_text(site.config),
        code=_text(site.code),
        http_host=site.http_host,
        uploads=_text(site.uploads),
        known_value=KnownValueFact(query=known.query, sha256=known.sha256) if known else None,
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
