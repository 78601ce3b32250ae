"""Certificates on disk: valid today, and for some days to come."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from opsctl.core.clock import utcnow
from opsctl.core.errors import OpsError
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.runner import Runner
from opsctl.health.names import check_id
from opsctl.stack.rooted import below, resolve
from opsctl.stack.settings import NginxSection

_DAY_S = 86400


def certificate_probes(root: Path, files: Sequence[Path], nginx: NginxSection, days: float) -> list[Look]:
    """A probe for each certificate of the settings and of nginx, on the host whose `/` is `root`."""
    named, problem = _of_nginx(root, nginx)
    probes = [
        Look(
            check_id("certificate", str(file)),
            f"{file.name} of {file.parent.name} is valid",
            f"it is valid, and for {days:g} days to come",
            partial(_look, root, file, days),
            needs_root=True,
        )
        for file in dict.fromkeys((*files, *named))
    ]
    if problem is not None:
        found = unknown(str(problem), problem.hint or "nginx -t")
        probes.append(
            Look("certificates.nginx", "certificates of nginx", "its configuration can be read", lambda host: found)
        )
    return probes


def _of_nginx(root: Path, nginx: NginxSection) -> tuple[tuple[Path, ...], OpsError | None]:
    if not nginx.enabled:
        return (), None
    from opsctl.stack.nginx import read_nginx

    try:
        return read_nginx(root, nginx.config).certificates, None
    except OpsError as error:
        return (), error


def _look(root: Path, file: Path, days: float, host: Runner) -> Seen:
    from cryptography import x509

    data = below(root, resolve(root, file)[1]).read_bytes()
    try:
        certificate = x509.load_pem_x509_certificate(data)  # of a chain, the first: the site's own
    except ValueError:
        return (
            good("it holds no certificate")
            if b"DH PARAMETERS" in data
            else unknown("it is no certificate", f"file {file}")
        )
    now = utcnow()
    left = (certificate.not_valid_after_utc - now).total_seconds() / _DAY_S
    ends = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    renew = "renew it: certbot renew"
    if left < 0:
        return bad(f"it ended on {ends}", renew, days=round(left, 2))
    if certificate.not_valid_before_utc > now:
        return bad(
            f"it begins on {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", "is the clock right? timedatectl"
        )
    if left < days:
        return bad(f"it ends in {left:.1f} days, on {ends}", renew, days=round(left, 2))
    return good(f"until {ends}", days=round(left, 2))
