"""Logs off the host: each sends its own to the one that keeps them, which nobody sends to without a key."""

from collections.abc import Iterator
from typing import Any

from opsctl.core.errors import IntegrityError, SettingsError
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.inventory.logs import PORT, sources
from opsctl.deploy.resources import Directory, Resource, Unit, file

PACKAGES = ("rsyslog", "rsyslog-relp")
KEYS = "/etc/ssl/opsctl-logs"
KEPT = "/var/log/opsctl-hosts"
RESTART = ("restart rsyslog",)
AUTHORITY = "logs-authority"
WINDOW = 16
"""So many lines go out before the first of them has its receipt."""
UNDER_WAY = 2 * WINDOW
"""So many lines, at most, are neither receipted nor in the queue: those that went out, and those that are about to."""
_PRIVATE = "-----BEGIN PRIVATE KEY-----"


def secret_of(host: str) -> str:
    """The name of the secret that holds a host's key and certificate."""
    return f"logs-{host}"


def name_of(stack: str, host: str) -> str:
    """The name in a host's certificate."""
    return f"{host}.{stack}.logs"


def parts(secret: str, where: str) -> tuple[str, str]:
    """The certificate and the key in a secret, as PEM. Raises IntegrityError for anything else."""
    certificate, marker, key = secret.partition(_PRIVATE)
    if not marker or "BEGIN CERTIFICATE" not in certificate:
        raise IntegrityError(
            "the secret is no certificate with its key", where=where, hint="remove it: opsctl deploy secret remove"
        )
    return certificate, marker + key


def packages(subject: Subject) -> tuple[str, ...]:
    """What Debian has to bring."""
    return PACKAGES if subject.inventory.logs else ()


def ground(subject: Subject) -> Iterator[Resource]:
    """The host's key, what it believes, and where it keeps the logs of all. Raises SettingsError without a key."""
    if subject.inventory.logs is None:
        return
    own, there = secret_of(subject.host.name), subject.inventory.secrets_file.names()
    if missing := [name for name in (AUTHORITY, own) if name not in there]:
        raise SettingsError(
            f"the key by which {subject.host.name} sends its logs is missing: {', '.join(missing)}",
            where=str(subject.inventory.origin),
            hint=f"make it: opsctl deploy log-keys {subject.inventory.origin}",
        )
    authority = subject.secret(AUTHORITY)
    certificate, key = parts(subject.secret(own), own)
    yield Directory(path=KEYS, mode="0700")
    yield file(f"{KEYS}/authority.pem", parts(authority, AUTHORITY)[0].encode(), then=RESTART)
    yield file(f"{KEYS}/host.pem", certificate.encode(), then=RESTART)
    yield file(f"{KEYS}/host.key", key.encode(), mode="0600", secret=True, then=RESTART)
    if "log-keeper" in subject.features:
        yield Directory(path=KEPT, group="adm", mode="0750")


def facts(subject: Subject) -> dict[str, Any]:
    """What templates of the logs may name; nothing for a stack that keeps none."""
    section, inventory = subject.inventory.logs, subject.inventory
    if section is None:
        return {"logs": None}
    keeper, stack = inventory.host(section.host), inventory.stack.name
    others = [host.name for host in inventory.hosts if host.name != section.host]
    logs = {
        "keeper": subject.host.name == section.host,
        "address": section.address or keeper.address,
        "port": PORT,
        "peer": name_of(stack, section.host),
        "others": others,
        "peers": [name_of(stack, name) for name in others],
        "networks": sources(section, inventory.hosts),
        "days": section.days,
        "queue_mb": section.queue_mb,
        "window": WINDOW,
        "tls": KEYS,
        "kept": KEPT,
    }
    return {"logs": logs}


def units(subject: Subject) -> Iterator[Resource]:
    """What sends and keeps."""
    if subject.inventory.logs is not None:
        yield Unit(name="rsyslog.service")
