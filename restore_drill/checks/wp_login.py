"""Logs in to the scratch server as a restored WordPress does: its host, user and password exactly as written."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from opsctl.core.errors import OpsError
from opsctl.core.sandbox import Mount
from restore_drill.checks.php import run_php
from restore_drill.checks.wordpress import WpSettings
from restore_drill.paths import ScratchPaths
from restore_drill.scratch import ScratchServer

DEFAULT_SOCKET = "/run/mysqld/mysqld.sock"
DEFAULT_PORT = 3306
_RELAYED = "/run/opsctl/db.sock"
_BY_SOCKET = "unix_socket"
_DENIED = ("1045", "1130", "1698")  # access denied; host not allowed; no password given


@dataclass(frozen=True)
class Address:
    """Where WordPress looks for its database. `host` is `localhost` for a socket, else a name or address for TCP."""

    host: str
    port: int
    socket: str | None

    @property
    def by_tcp(self) -> bool:
        """Whether it connects through the network."""
        return self.socket is None and self.host != "localhost"


class Login(BaseModel):
    """How far a login came: `step` is the one that failed, or `done`; `error` is the server's."""

    step: str
    error: str | None
    siteurl: str | None


def parse_db_host(text: str) -> Address:
    """Read DB_HOST as wpdb::parse_db_host() and mysqli do: `host`, `host:port`, `host:/socket`, `[v6]:port`.

    Source: wp-includes/class-wpdb.php. A socket is only used for localhost, which mysqli takes an empty host for.
    """
    host, mark, path = text.partition(":/")
    socket = f"/{path}" if mark else None
    pattern = r"^\[?([0-9a-fA-F:]+)(?:\]:(\d+))?" if host.count(":") > 1 else r"^([^:/]*)(?::(\d+))?"
    found = re.match(pattern, host)
    name, port = (found[1], found[2]) if found else (host, None)
    if name in ("", "localhost"):
        return Address("localhost", int(port or DEFAULT_PORT), socket or DEFAULT_SOCKET)
    return Address(name, int(port or DEFAULT_PORT), None)


def log_in(paths: ScratchPaths, server: ScratchServer, settings: WpSettings) -> Login:
    """Log in as the site and read its siteurl. Raises OpsError when the attempt itself could not be made.

    For TCP the client is first one from localhost, as a server that resolves names takes it, then one from 127.0.0.1.
    For a socket, a password stands in for the Linux account of an account that needs no other proof.
    """
    address = parse_db_host(settings.db_host)
    found = _attempt(paths, server, settings, address, proxy=False)
    if address.by_tcp and found.step == "login" and (found.error or "").startswith(_DENIED):
        server.query("SET GLOBAL proxy_protocol_networks = 'localhost'")
        try:
            found = _attempt(paths, server, settings, address, proxy=True)
        finally:
            server.query("SET GLOBAL proxy_protocol_networks = ''")
    elif found.step == "login" and (found.error or "").startswith(_DENIED) and _is_known_by_socket(server, settings):
        user, password = settings.db_user, settings.db_password.get_secret_value()
        server.query(
            "ALTER USER %s@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD(%s)", (user, password)
        )
        try:
            found = _attempt(paths, server, settings, address, proxy=False)
        finally:
            server.query(f"ALTER USER %s@localhost IDENTIFIED VIA {_BY_SOCKET}", (user,))
    return found


def _is_known_by_socket(server: ScratchServer, settings: WpSettings) -> bool:
    """Whether the account is let in by the name of its Linux account alone, which only the host has."""
    sql = (
        "SELECT 1 FROM mysql.user WHERE User = %s AND Host = 'localhost' AND plugin = %s AND authentication_string = ''"
    )
    return bool(server.query(sql, (settings.db_user, _BY_SOCKET)))


def _attempt(
    paths: ScratchPaths, server: ScratchServer, settings: WpSettings, address: Address, *, proxy: bool
) -> Login:
    wanted = {
        "host": _encode("127.0.0.1" if address.by_tcp else "localhost"),
        "port": address.port,
        "socket": None if address.socket is None else _encode(address.socket),
        "relay": _encode(_RELAYED) if address.by_tcp else None,
        "proxy": proxy,
        "user": _encode(settings.db_user),
        "password": _encode(settings.db_password.get_secret_value()),
        "database": _encode(settings.db_name),
        "prefix": _encode(settings.table_prefix),
    }
    done = run_php(paths, "wp_login.php", wanted, mounts=_socket_mounts(server, address))
    lines = done.stdout.splitlines()
    if done.status != 0 or not lines:
        raise OpsError("php could not try the login", where=done.stderr.strip()[-300:], hint="run: opsctl doctor")
    return Login.model_validate_json(lines[-1])


def _socket_mounts(server: ScratchServer, address: Address) -> tuple[Mount, ...]:
    target = _RELAYED if address.by_tcp else address.socket or DEFAULT_SOCKET
    return server.mounts(Path(re.sub(r"^/var/run/", "/run/", target)))


def _encode(text: str) -> str:
    return base64.b64encode(text.encode(errors="surrogateescape")).decode()
