"""One HTTP request, as a browser makes it: the name of the site in SNI and Host, whatever address it lies at."""

import functools
import http.client
import re
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from opsctl import __version__
from opsctl.core.errors import OpsError, UnreachableError
from opsctl.health.deadline import Deadline, Readable

MOST_BYTES = 1 << 20
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,4}|:[1-6][0-9]{4})?([/?#][!-~]*)?\Z")
_LOOK = "look at the web server: systemctl status nginx; nginx -t"


class CertificateError(OpsError):
    """A certificate that a browser would not accept."""


class NoWayError(UnreachableError):
    """This machine has no way there (no network, no name server): nothing is known about the site."""


@dataclass(frozen=True)
class Answer:
    """An answer: `location` is absolute; `body` is its beginning; `valid_until` (UTC) is the certificate's end."""

    url: str
    status: int
    location: str | None
    body: bytes
    valid_until: datetime | None
    duration_s: float


def get(url: str, *, address: str | None, deadline: Deadline, ca_file: Path | None) -> Answer:
    """Ask for `url`, connecting to `address` if given.

    Raises NoWayError when this machine cannot get there, UnreachableError when nobody answers in time or in HTTP,
    CertificateError for a certificate that a browser would refuse.
    """
    if _ADDRESS.match(url) is None:
        raise UnreachableError("it leads to what is no address", where=url, hint="look at the site's redirects")
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    started = time.monotonic()
    connection = _connect(address or host, port, deadline)
    try:
        valid_until = None
        if parts.scheme == "https":
            connection, valid_until = _secured(connection, host, deadline, ca_file)
        status, location, body = _exchange(connection, url, deadline)
    finally:
        connection.close()
    return Answer(url, status, location, body, valid_until, time.monotonic() - started)


def _connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    where = f"{address}:{port}"
    try:
        return socket.create_connection((address, port), timeout=deadline.left())
    except socket.gaierror as error:
        kind = NoWayError if error.errno == socket.EAI_AGAIN else UnreachableError
        raise kind(f"its name is not known: {error.strerror}", where=where, hint=f"getent hosts {address}") from error
    except TimeoutError as error:
        raise deadline.over() from error
    except ConnectionError as error:
        raise UnreachableError(f"nobody answers: {error.strerror}", where=where, hint=_LOOK) from error
    except OSError as error:  # no network, no route
        raise NoWayError(f"there is no way there: {error.strerror}", where=where, hint="ip route") from error


def _secured(
    connection: socket.socket, host: str, deadline: Deadline, ca_file: Path | None
) -> tuple[ssl.SSLSocket, datetime]:
    connection.settimeout(deadline.left())
    try:
        secured = _context(ca_file).wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(
            f"the certificate is refused: {error.verify_message}",
            where=host,
            hint=f"openssl s_client -connect {host}:443 -servername {host}",
        ) from error
    except TimeoutError as error:
        raise deadline.over() from error
    except OSError as error:
        raise UnreachableError(f"no TLS: {error.strerror or error}", where=host, hint=_LOOK) from error
    end = str((secured.getpeercert() or {})["notAfter"])
    return secured, datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC)


@functools.cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    """One for all visits: reading the system's authorities takes longer than a visit."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise OpsError(
            f"the file of authorities cannot be read: {error.strerror}", where=str(ca_file), hint=f"ls -l {ca_file}"
        ) from error


def _exchange(connection: socket.socket, url: str, deadline: Deadline) -> tuple[int, str | None, bytes]:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    words = (
        f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: opsctl/{__version__} (health)\r\n"
        "Accept: */*\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )
    connection.settimeout(deadline.left())
    try:
        connection.sendall(words.encode("ascii"))
        response = http.client.HTTPResponse(Readable(connection, deadline), method="GET")  # type: ignore[arg-type]
        response.begin()
        body = response.read(MOST_BYTES)
    except TimeoutError as error:
        raise deadline.over() from error
    except http.client.HTTPException as error:
        said = str(error).strip() or type(error).__name__
        raise UnreachableError(f"the answer is no HTTP: {said}", where=url, hint=_LOOK) from error
    except OSError as error:
        raise UnreachableError(f"the connection broke: {error.strerror or error}", where=url, hint=_LOOK) from error
    location = response.getheader("Location")
    return response.status, urljoin(url, location) if location else None, body
