"""Certificates: one of its own making for each site at first, and one that an authority has issued as soon as it does.

Which of them nginx shows is where `current` in the site's directory leads, so that the change is one rename. What the
authority needs to see is served on port 80. certbot, which keeps its account and its keys on the host alone, issues
and renews by the package's own timer; a hook of the table has nginx read what was renewed.
"""

import shlex
from collections.abc import Iterator

from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.inventory.certificates import CertificatesSection
from opsctl.deploy.inventory.site import SitePlan
from opsctl.deploy.resources import Directory, Link, Resource, Script, Unit

PACKAGES = ("certbot",)
HOME = "/etc/ssl/opsctl"
WEBROOT = "/var/www/acme"
TRUST = f"{HOME}/authority.pem"
OWN_DAYS = 365
# Where certbot keeps what was issued, and what it was told; links into its archive.
_LIVE, _TOLD = "/etc/letsencrypt/live", "/etc/letsencrypt/renewal"
_HOOKS = ("/etc/letsencrypt", "/etc/letsencrypt/renewal-hooks", "/etc/letsencrypt/renewal-hooks/deploy")
_NAMES = "openssl x509 -noout -ext subjectAltName -in {} 2>/dev/null | grep -o 'DNS:[^, ]*' | cut -c5- | sort | xargs"


def packages(subject: Subject) -> tuple[str, ...]:
    """What Debian has to bring."""
    return PACKAGES if "certificates" in subject.features else ()


def ground(subject: Subject) -> Iterator[Resource]:
    """What every site can begin with: files are checked with it there."""
    yield Directory(path=HOME, early=True)
    if "certificates" in subject.features:
        yield from (Directory(path=path) for path in _HOOKS)
    if "private-authority" in subject.features:
        yield Directory(path="/etc/systemd/system/certbot.service.d")
    for site in subject.sites:
        home = f"{HOME}/{site.name}"
        yield Directory(path=home, mode="0700", early=True)
        issued_ones = "certificates" in subject.features
        yield _own(site, home, other=issued_ones)
        if not issued_ones:
            yield Link(path=f"{home}/current", target="own", then=("reload nginx",), early=True)


def issued(subject: Subject) -> Iterator[Resource]:
    """A certificate of the authority for each site, and its renewal."""
    authority = subject.inventory.certificates
    if authority is not None:
        yield Unit(name="certbot.timer")
        yield from (_issued(site, authority) for site in subject.sites)


def _own(site: SitePlan, home: str, *, other: bool) -> Resource:
    """A certificate that nobody vouches for, made anew before it ends, but not while an `other` may serve and does."""
    own = f"{home}/own/fullchain.pem"
    good = (
        f"openssl x509 -noout -checkend 604800 -in {own} >/dev/null 2>&1 "
        f'&& test "$({_NAMES.format(own)})" = "{_sorted(site)}"'
    )
    others = f'test "$(readlink {home}/current)" != own || ' if other else ""
    names = ",".join(f"DNS:{name}" for name in site.domains)
    make = (
        f"umask 077; cd {home}; rm -rf own.new; mkdir own.new; "
        f"openssl req -x509 -newkey rsa:2048 -nodes -days {OWN_DAYS} -subj /CN={site.name} "
        f"-addext subjectAltName={names} -keyout own.new/privkey.pem -out own.new/fullchain.pem 2>/dev/null; "
        "rm -rf own.old; if test -e own; then mv own own.old; fi; mv own.new own; "
        "if ! test -s current/fullchain.pem; then ln -sfn own current.new; mv -T current.new current; fi"
    )
    back = "rm -rf own.new; if test -e own.old; then rm -rf own; mv own.old own; else rm -rf own current; fi"
    return Script(
        name=f"own certificate of {site.name}",
        look=f"if test -s {home}/current/fullchain.pem && {{ {others}{{ {good}; }}; }}; then echo there; fi",
        wanted="there",
        do=make,
        undo=f"if cd {home}; then {back}; fi",
        shown=f"make a certificate for {site.domains[0]} that serves until one is issued",
        early=True,
        then=("reload nginx",),
    )


def _issued(site: SitePlan, authority: CertificatesSection) -> Resource:
    """What nginx shows, who has issued it, and for which names."""
    home, live, told = f"{HOME}/{site.name}", f"{_LIVE}/{site.name}", f"{_TOLD}/{site.name}.conf"
    look = (
        f'if test "$(readlink {home}/current)" = {live} '
        f"&& openssl x509 -noout -checkend 0 -in {live}/cert.pem >/dev/null 2>&1; "
        f"then sed -n 's/^server = //p' {told} 2>/dev/null || :; {_NAMES.format(f'{live}/cert.pem')}; fi"
    )
    words = [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", "--email", authority.email),
        *("--server", authority.directory, "--webroot", "--webroot-path", WEBROOT, "--cert-name", site.name),
        *(word for name in site.domains for word in ("--domain", name)),
    ]
    trust = f"export REQUESTS_CA_BUNDLE={TRUST}; " if authority.trust else ""
    return Script(
        name=f"issued certificate of {site.name}",
        look=look,
        wanted=f"{authority.directory}\n{_sorted(site)}",
        # One of these names that does not end soon is kept, unless it is another authority's.
        do=f"{trust}anew=--keep-until-expiring; "
        f"grep -qxF 'server = {authority.directory}' {told} 2>/dev/null || anew=--force-renewal; "
        f"{shlex.join(words)} --renew-with-new-domains $anew; "
        f"cd {home}; ln -sfn {live} current.new; before=$(readlink current); mv -T current.new current; "
        'nginx -t -q || { ln -sfn "$before" current.new; mv -T current.new current; exit 1; }; '
        "systemctl reload nginx.service",
        undo="true",
        shown=f"have a certificate issued for {', '.join(site.domains)}",
        later=True,
    )


def _sorted(site: SitePlan) -> str:
    return " ".join(sorted(site.domains))
