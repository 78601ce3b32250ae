"""The settings of opsctl on a host, written from the inventory."""

from collections.abc import Iterator, Mapping
from typing import Any

from opsctl.core.settings_example import toml_value
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.inventory.site import SitePlan

CONFIG = "/etc/opsctl/opsctl.toml"
STATE = "/var/lib/opsctl/host"
REPOSITORY = "/var/backups/opsctl"
SECRETS = "/etc/opsctl/secrets"
ACCOUNTS_SQL = "/etc/opsctl/accounts.sql"
# mariadb-backup asks whether it may read the database's files in a way in which capabilities do not count.
USER = "mysql"
ACCOUNTS = {
    "backup": "opsctl_backup",
    "ship": "opsctl_ship",
    "export": "opsctl_export",
    "watch": "opsctl_watch",
}
"""opsctl's accounts on the database server, by what they are for."""


def signer(subject: Subject) -> str:
    """The name under which the host signs its backups."""
    return f"{subject.host.name}@{subject.inventory.stack.name}"


def facts(subject: Subject) -> dict[str, Any]:
    """What the template of opsctl.toml may name: all tables as text."""
    return {"opsctl_tables": "\n".join(written(tables(subject)))} if subject.inventory.opsctl else {}


def tables(subject: Subject) -> dict[str, Any]:
    """Everything opsctl.toml says: what follows from the inventory, and before it what the inventory says itself."""
    inventory = subject.inventory
    if inventory.opsctl is None or inventory.recipients is None:
        return {}
    names = {f"{role}_user": user for role, user in ACCOUNTS.items()}
    files = {f"{role}_password_file": f"{SECRETS}/{role}.password" for role in ACCOUNTS}
    found = {
        "stack": {"name": inventory.stack.name},
        "machine": {"place": "host", "state_dir": STATE},
        "trust": {"signer": signer(subject)},
        "repositories": [{"name": "local", "path": REPOSITORY}, *(each.table() for each in inventory.repositories)],
        "database": names | files,
        "sites": [_site(site) for site in subject.sites],
        "nginx": {"paths": ["/etc/nginx", "/etc/ssl/opsctl", *_issued(subject)]},
        "backup": {"recipients": inventory.recipients.data, "keys_recipients": inventory.recipients.keys},
        "schedule": {"user": USER},
        "health": {"units": _units(subject)},
        "visits": [_visit(site) for site in subject.sites],
    }
    return _over(found, inventory.opsctl.settings)


def written(tables: Mapping[str, Any]) -> Iterator[str]:
    """Tables as TOML: one for each section, as many as there are for a list of them."""
    for name, value in tables.items():
        for table in value if isinstance(value, list) else [value]:
            yield f"\n[[{name}]]" if isinstance(value, list) else f"\n[{name}]"
            yield from (f"{key} = {toml_value(item)}" for key, item in table.items())


def _site(site: SitePlan) -> dict[str, Any]:
    found = {
        "name": site.name,
        "kind": site.kind,
        "paths": [site.home],
        "exclude": [f"{site.home}/{name}/*" for name in ("tmp", "log")],
    }
    return found | site.backup


def _visit(site: SitePlan) -> dict[str, Any]:
    return {"name": site.name, "url": f"https://{site.domains[0]}/", "address": "127.0.0.1"} | site.visit


def _issued(subject: Subject) -> list[str]:
    return ["/etc/letsencrypt"] if "certificates" in subject.features else []


def _units(subject: Subject) -> list[str]:
    services = ["mariadb", "nginx", *(["php8.2-fpm"] if subject.php else [])]
    services += [site.name for site in subject.sites if site.kind == "python"]
    return [f"{name}.service" for name in services]


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay tables over others, key by key."""
    found = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(below.get(name), Mapping)
        found[name] = _over(below[name], value) if both else value
    return found
