"""Sites: an account and directories of their own, closed to all others, and the way in through the web server."""

from collections.abc import Iterator

from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.inventory.site import SitePlan
from opsctl.deploy.resources import Absent, Directory, Link, Resource, Script, User, file

WEB = "www-data"


def ground(subject: Subject) -> Iterator[Resource]:
    """Each site's account, directories and first release."""
    for site in subject.sites:
        yield User(name=site.name, home=site.home)
    # nginx reads what the sites show by being in their groups: their code belongs to root, and nobody else sees it.
    groups = tuple(sorted(site.name for site in subject.sites))
    yield User(name=WEB, home="/var/www", groups=groups, then=("reload nginx",))
    for site in subject.sites:
        yield from _directories(site)
        yield _first_release(site)


def secrets(subject: Subject) -> Iterator[Resource]:
    """Files of each site that hold its secrets, for nobody but the site."""
    for site in subject.sites:
        for name, secret in site.files.items():
            path, data = f"{site.home}/shared/{name}", subject.secret(secret).encode()
            yield file(path, data, owner=site.name, group=site.name, mode="0400", secret=True)


def web(subject: Subject) -> Iterator[Resource]:
    """What the web server shows, and nothing of what Debian's packages would show."""
    for path in ("/var/www", "/var/www/acme"):
        yield Directory(path=path)
    yield Absent(path="/etc/nginx/sites-enabled/default", package="nginx", then=("reload nginx",))
    if subject.php:
        # The pool that Debian brings runs as the web server, which can read every site.
        yield Absent(path="/etc/php/8.2/fpm/pool.d/www.conf", package="php-fpm", then=("reload php-fpm",))
    for site in subject.sites:
        target = f"/etc/nginx/sites-available/{site.name}.conf"
        yield Link(path=f"/etc/nginx/sites-enabled/{site.name}.conf", target=target, then=("reload nginx",))


def visit(site: SitePlan) -> tuple[str, ...]:
    """Ask for the site's main name here; any answer will do, as there may be nothing to show yet."""
    name = site.domains[0]
    ask = f"curl --silent --insecure --max-time 10 --resolve {name}:443:127.0.0.1 https://{name}/ >/dev/null"
    return ("sh", "-c", f"for try in 1 2 3 4 5; do {ask} && exit 0; sleep 1; done; exit 1")


def _directories(site: SitePlan) -> Iterator[Resource]:
    yield Directory(path=site.home, owner="root", group=WEB, mode="0755")
    for name in ("releases", "shared"):
        yield Directory(path=f"{site.home}/{name}", owner="root", group=site.name, mode="0750")
    yield Directory(path=f"{site.home}/failed", mode="0700")
    for name in ("tmp", "log"):
        yield Directory(path=f"{site.home}/{name}", owner=site.name, group=site.name, mode="0700")


def _first_release(site: SitePlan) -> Resource:
    home, first = site.home, "releases/first"
    public = "" if site.kind == "python" else f" {first}/public"
    return Script(
        name=f"first release of {site.name}",
        look=f"test -e {home}/current && echo there || :",
        wanted="there",
        do=f"cd {home}; install -d -o root -g {site.name} -m 0750 {first}{public}; "
        f"ln -sfn {first} next; ln -sfn {first} current",
        undo=f"cd {home}; rm -rf current next {first}",
        shown=f"begin {site.name} with an empty release",
    )
