"""From the inventory to all that shall be on a host, in the order in which it is made."""

import zlib
from collections.abc import Iterator

from opsctl.deploy import database
from opsctl.deploy.inventory import HostSection, Inventory, SitePlan
from opsctl.deploy.resources import Absent, Desired, Directory, Link, Package, Resource, Script, Unit, User, file
from opsctl.deploy.templates import rendered, table

PACKAGES = (
    "ca-certificates", "cron", "curl", "logrotate", "mariadb-backup", "mariadb-server", "nftables", "nginx",
    "openssh-server", "openssl", "sudo", "unattended-upgrades",
)  # fmt: skip
PHP_PACKAGES = ("php-fpm", "php-gd", "php-mbstring", "php-mysql", "php-xml")
WEB = "www-data"


def desired(inventory: Inventory, host: HostSection) -> Desired:
    """All that shall be on the host. Raises OpsError for a template that cannot be filled."""
    sites = inventory.sites_of(host)
    facts = {
        "stack": inventory.stack,
        "contacts": inventory.contacts,
        "access": inventory.access,
        "host": host,
        "sites": sites,
        "server_id": server_id(inventory, host),
    }
    resources = (
        *_packages(sites),
        *_people(inventory),
        Directory(path="/etc/ssl/opsctl", early=True),
        *(each for site in sites for each in _ground(site)),
        *database.encryption(),
        *rendered(facts, sites),
        *_web(sites),
        *_units(sites),
        *(each for site in sites if site.kind != "static" for each in database.of_site(site.name)),
    )
    health = tuple(_visit(site) for site in sites)
    return Desired(resources=resources, actions=table().actions, checks=table().checks, health=health)


def server_id(inventory: Inventory, host: HostSection) -> int:
    """MariaDB's id of a host, the same at every rendering: 1 to 2^31."""
    return 1 + (zlib.crc32(f"{inventory.stack.name}/{host.name}".encode()) >> 1)


def _packages(sites: tuple[SitePlan, ...]) -> Iterator[Resource]:
    php = PHP_PACKAGES if any(site.php for site in sites) else ()
    yield from (Package(name=name) for name in (*PACKAGES, *php))


def _people(inventory: Inventory) -> Iterator[Resource]:
    """The operations account; whoever's key is not in the inventory is out."""
    user = inventory.access.user
    home = f"/home/{user}"
    login = "/bin/bash"
    yield User(name=user, home=home, shell=login, system=False, create_home=True, guarded=True)
    yield Directory(path=f"{home}/.ssh", owner=user, group=user, mode="0700", guarded=True)
    keys = "".join(f"{key}\n" for key in inventory.access.keys)
    path = f"{home}/.ssh/authorized_keys"
    yield file(path, keys.encode(), owner=user, group=user, mode="0600", guarded=True)


def _ground(site: SitePlan) -> Iterator[Resource]:
    """A site's account and directories, closed to all other sites, and something for its web server to begin with."""
    yield User(name=site.name, home=site.home)
    yield Directory(path=site.home, owner="root", group=WEB, mode="0755")
    for name in ("releases", "shared"):
        yield Directory(path=f"{site.home}/{name}", owner=site.name, group=WEB, mode="0750")
    for name in ("tmp", "log"):
        yield Directory(path=f"{site.home}/{name}", owner=site.name, group=site.name, mode="0700")
    first = f"{site.home}/releases/first"
    yield Script(
        name=f"first release of {site.name}",
        look=f"test -e {site.home}/current && echo there || :",
        wanted="there",
        do=f"install -d -o {site.name} -g {WEB} -m 0750 {first} {first}/public && ln -sfn {first} {site.home}/current",
        undo=f"rm -rf {site.home}/current {first}",
        shown=f"begin {site.name} with an empty release",
    )
    tls = f"/etc/ssl/opsctl/{site.name}"
    yield Directory(path=tls, mode="0700", early=True)
    name = site.domains[0]
    yield Script(
        name=f"certificate of {site.name}",
        look=f"test -s {tls}/fullchain.pem && echo there || :",
        wanted="there",
        do=f"umask 077; openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} "
        f"-addext subjectAltName=DNS:{name} -keyout {tls}/privkey.pem -out {tls}/fullchain.pem 2>/dev/null",
        undo=f"rm -f {tls}/privkey.pem {tls}/fullchain.pem",
        shown=f"make a certificate for {name} that holds until a real one is issued",
        early=True,
    )


def _web(sites: tuple[SitePlan, ...]) -> Iterator[Resource]:
    for path in ("/var/www", "/var/www/acme"):
        yield Directory(path=path)
    yield Absent(path="/etc/nginx/sites-enabled/default", then=("reload nginx",))
    if any(site.php for site in sites):
        # The pool that Debian brings runs as the web server, which can read every site.
        yield Absent(path="/etc/php/8.2/fpm/pool.d/www.conf", then=("reload php-fpm",))
    for site in sites:
        target = f"/etc/nginx/sites-available/{site.name}.conf"
        yield Link(path=f"/etc/nginx/sites-enabled/{site.name}.conf", target=target, then=("reload nginx",))


def _units(sites: tuple[SitePlan, ...]) -> Iterator[Resource]:
    names = ["ssh", "cron", "nftables", "mariadb", "nginx"]
    names += ["php8.2-fpm"] if any(site.php for site in sites) else []
    yield from (Unit(name=f"{name}.service") for name in names)


def _visit(site: SitePlan) -> tuple[str, ...]:
    """Ask for the site's main name here; any answer will do, as there may be nothing to show yet."""
    name = site.domains[0]
    ask = f"curl --silent --insecure --max-time 10 --resolve {name}:443:127.0.0.1 https://{name}/ >/dev/null"
    return ("sh", "-c", f"for try in 1 2 3 4 5; do {ask} && exit 0; sleep 1; done; exit 1")
