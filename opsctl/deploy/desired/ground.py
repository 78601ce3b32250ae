"""What every host stands on: packages, the account that people and deployments use, units."""

from collections.abc import Iterator

from opsctl.deploy.access import AUTHORIZED_KEYS
from opsctl.deploy.desired import certificates, clock, logs, program
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.resources import Directory, Package, Resource, Unit, User, file

PACKAGES = (
    "ca-certificates", "cron", "curl", "logrotate", "mariadb-backup", "mariadb-server", "nftables", "nginx",
    "openssh-server", "openssl", "sudo", "unattended-upgrades",
)  # fmt: skip
LOGIN = "/bin/bash"
PHP_PACKAGES = ("php-fpm", "php-gd", "php-mbstring", "php-mysql", "php-xml")


def packages(subject: Subject) -> Iterator[Resource]:
    """What Debian has to bring."""
    php = PHP_PACKAGES if subject.php else ()
    brought = (certificates.packages(subject), program.packages(subject), logs.packages(subject), php)
    names = (*PACKAGES, *clock.PACKAGES, *(name for names in brought for name in names))
    yield from (Package(name=name) for name in names)


def people(subject: Subject) -> Iterator[Resource]:
    """The operations account; whoever's key is not in the inventory is out."""
    access = subject.inventory.access
    user, home = access.user, f"/home/{access.user}"
    yield User(name=user, home=home, shell=LOGIN, system=False, create_home=True, guarded=True)
    yield Directory(path=f"{home}/.ssh", owner=user, group=user, mode="0700", guarded=True)
    keys = "".join(f"{key}\n" for key in access.keys)
    path = AUTHORIZED_KEYS.format(user=user)
    yield file(path, keys.encode(), owner=user, group=user, mode="0600", guarded=True)


def units(subject: Subject) -> Iterator[Resource]:
    """What runs, now and after a reboot."""
    names = ["ssh", "cron", "nftables", "mariadb", "nginx"]
    names += ["php8.2-fpm"] if subject.php else []
    yield from (Unit(name=f"{name}.service") for name in names)
    # Debian's package enables it, and from the next boot on it would listen on every address.
    yield Unit(name="mariadb.socket", enabled=False, active=False)
    for site in subject.sites:
        if site.socket:
            yield Unit(name=f"{site.name}.socket")
        if site.kind == "python":
            yield Unit(name=f"{site.name}.service")
