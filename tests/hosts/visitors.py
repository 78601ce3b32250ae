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
    """Somebody at an address who visits a host; nothing of theirs is left when the host is gone."""

    def __init__(self, host: Host, address: str) -> None:
        number = host.address.split(".")[2]
        link = f"o-host{number}"
        self._address = address
        if ":" in address:
            self._visited = f"2001:db8:231:{number}::2"
            host.run("ip", "address", "replace", f"{self._visited}/64", "dev", "host0", "nodad")
            ours: tuple[tuple[str, ...], ...] = ((f"2001:db8:231:{number}::1/64", "nodad"), (f"{address}/128", "nodad"))
        else:
            self._visited = host.address
            ours = ((f"{address}/32",),)
        for own, *how in ours:
            subprocess.run(["ip", "address", "replace", own, "dev", link, *how], check=True)
        host.run("ip", "route", "replace", address, "dev", "host0")

    def get(
        self, name: str, path: str = "/", *, via: str | None = None, tls: bool = True, timeout_s: float = TIMEOUT_S
    ) -> Heard:
        """Ask for a path of a site; `via` is what an edge says of whom it brings. Raises TimeoutError."""
        where = (self._visited, 443 if tls else 80)
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


def fetch(host: Host, name: str, path: str = "/", *more: str) -> str:
    """What a site answers over HTTPS to somebody on its own host; `more` are words for curl."""
    words = ("--silent", "--insecure", "--resolve", f"{name}:443:127.0.0.1", *more)
    return host.run("curl", *words, f"https://{name}{path}").stdout


def _unverified() -> ssl.SSLContext:
    """Certificates are what test_certificates.py looks at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
