"""Visitors of a host from addresses of their own, which this machine takes on the link between the two."""

import http.client
import socket
import ssl
import subprocess
from dataclasses import dataclass

from tests.hosts.host import Host

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Heard:
    """An answer: its status, its headers in their order with names in small letters, its body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name.lower()]


class Visitor:
    """Somebody at an address (IPv4) who visits a host; nothing of theirs is left when the host is gone."""

    def __init__(self, host: Host, address: str) -> None:
        self._host = host
        self._address = address
        link = f"o-host{host.address.split('.')[2]}"
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", link], check=True)
        host.run("ip", "route", "replace", f"{address}/32", "dev", "host0")

    def get(
        self, name: str, path: str = "/", *, via: str | None = None, tls: bool = True, timeout_s: float = TIMEOUT_S
    ) -> Heard:
        """Ask for a path of a site; `via` is what an edge says of whom it brings. Raises TimeoutError."""
        where = (self._host.address, 443 if tls else 80)
        with (
            socket.create_connection(where, timeout_s, source_address=(self._address, 0)) as plain,
            _unverified().wrap_socket(plain, server_hostname=name) if tls else plain as talked,
        ):
            connection = http.client.HTTPConnection(name)
            connection.sock = talked
            connection.request("GET", path, headers={} if via is None else {"X-Forwarded-For": via})
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            return Heard(answer.status, tuple((key.lower(), value) for key, value in answer.getheaders()), body)


def _unverified() -> ssl.SSLContext:
    """Certificates are what test_certificates.py looks at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
