"""Finds the web server: its configuration, its servers, certificates and keys."""

from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.stack.discovery.found import FoundNginx
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.vhosts import Vhost, vhosts
from opsctl.stack.nginx import NginxConfig, read_nginx

_CONFIGS = (Path("/etc/nginx/nginx.conf"), Path("/usr/local/nginx/conf/nginx.conf"))
_OTHERS = {"Apache": Path("/etc/apache2/sites-enabled"), "Caddy": Path("/etc/caddy/Caddyfile")}
_CERTBOT = Path("/etc/letsencrypt")


def find_nginx(host: HostFiles) -> tuple[FoundNginx | None, tuple[Vhost, ...]]:
    """Find the web server and its servers. What of its configuration cannot be read is noted, and the rest is taken."""
    main = next((path for path in _CONFIGS if host.is_file(path)), None)
    for name, path in _OTHERS.items():
        if host.names(path) or host.is_file(path):
            host.note(path, f"{name} serves sites too, and only nginx is understood", "add a [[sites]] table for each")
    if main is None:
        host.note("/etc/nginx", "there is no nginx", "without a web server set nginx.enabled = false")
        return None, ()
    problems: list[OpsError] = []
    try:
        config = read_nginx(host.root, main, problems)
    except OpsError as error:
        host.note(error.where or main, error.message, error.hint or "run: nginx -t")
        return None, ()
    for problem in problems:
        host.note(problem.where or main, problem.message, "take it out of what nginx includes, or restore it")
    for path in (*config.certificates, *config.private_keys):
        if not host.is_file(path):
            host.note(path, "nginx's configuration names this file, and it is not there", "run: nginx -t")
    return _found(main, config), vhosts(config.directives, main.parent)


def _found(main: Path, config: NginxConfig) -> FoundNginx:
    return FoundNginx(
        config=main,
        paths=(main.parent, *_of_certbot(config)),
        files=config.files,
        server_names=config.server_names,
        certificates=config.certificates,
        private_keys=config.private_keys,
    )


def _of_certbot(config: NginxConfig) -> Iterator[Path]:
    """Certbot's directory as a whole: without it certificates are not renewed."""
    if any(path.is_relative_to(_CERTBOT) for path in (*config.certificates, *config.private_keys)):
        yield _CERTBOT
