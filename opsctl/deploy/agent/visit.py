"""Asks a site on its own host, over HTTPS and by its name, as visitors do."""

import http.client
import socket
import ssl
import time
from typing import Any

from . import host

LIVE, NEXT = "127.0.0.1", "127.0.0.2"
"""Where nginx shows the release that is live, and the one that is tried."""
IN_A_ROW = 3
FINAL = 5
"""So many bad answers in a row are the application's last word, unless they say that it is not there yet."""
NOT_YET = (502, 503, 504)
PAUSE_S = 0.2
ANSWER_S = 10.0


class UnhealthyError(host.AgentError):
    """A release does not answer as it should; the message says what it answered."""


def visit(site: dict[str, Any], address: str) -> str:
    """Ask until it has answered well several times in a row, and return what.

    `site` has its `domain`, the path `health`, `below` which a status is good, and `within_s` seconds in which that has
    to happen. Raises UnhealthyError with what was answered at last.
    """
    deadline = time.monotonic() + float(site["within_s"])
    good = bad = 0
    while True:
        seen = _ask(site, address, max(1.0, min(ANSWER_S, deadline - time.monotonic())))
        fine = isinstance(seen, int) and seen < site["below"]
        good = good + 1 if fine else 0
        bad = bad + 1 if isinstance(seen, int) and not fine and seen not in NOT_YET else 0
        said = f"https://{site['domain']}{site['health']} answered: {seen}"
        if good == IN_A_ROW:
            return said
        if bad == FINAL or time.monotonic() > deadline:
            raise UnhealthyError(said)
        time.sleep(PAUSE_S)


def _ask(site: dict[str, Any], address: str, timeout_s: float) -> int | str:
    """The status of the answer, or why there is none."""
    # Its certificate may be one of its own making; who is asked is certain here.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((address, 443), timeout_s, (LIVE, 0))
        with context.wrap_socket(plain, server_hostname=site["domain"]) as channel:
            connection = http.client.HTTPConnection(site["domain"])
            connection.sock = channel
            connection.request("GET", site["health"], headers={"User-Agent": "opsctl", "Connection": "close"})
            return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"nothing ({str(error) or type(error).__name__})"
