"""A visitor of a site who asks ten times a second, and remembers every answer."""

import http.client
import socket
import ssl
import threading
from types import TracebackType

from tests.hosts.host import Host

PAUSE_S = 0.1
TIMEOUT_S = 30.0


class Visitor:
    """Asks for `/` of a site on a host, from outside, each time by a new connection, until the block ends.

    `seen` are the answers, in order: status and body, or why there was none.
    """

    def __init__(self, host: Host, name: str) -> None:
        self.seen: list[tuple[int, str] | str] = []
        self._host = host
        self._name = name
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def __enter__(self) -> "Visitor":
        self._thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    @property
    def errors(self) -> list[tuple[int, str] | str]:
        """What was no page."""
        return [each for each in self.seen if isinstance(each, str) or each[0] != 200]

    @property
    def pages(self) -> list[str]:
        """The different pages, in the order in which they were first seen."""
        return list(dict.fromkeys(each[1] for each in self.seen if not isinstance(each, str)))

    def wait_for_more(self) -> None:
        """Wait until another two answers have come: the second was asked for after this call."""
        wanted = len(self.seen) + 2
        while len(self.seen) < wanted and self._thread.is_alive():
            self._over.wait(PAUSE_S)

    def _ask_on(self) -> None:
        while not self._over.is_set():
            self.seen.append(ask(self._host, self._name))
            self._over.wait(PAUSE_S)


def ask(host: Host, name: str, path: str = "/") -> tuple[int, str] | str:
    """Ask once, and return status and body, or why there is no answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((host.address, 443), TIMEOUT_S)
        with context.wrap_socket(plain, server_hostname=name) as channel:
            connection = http.client.HTTPConnection(name)
            connection.sock = channel
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
