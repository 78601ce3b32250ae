"""Real receivers of messages on loopback: an SMTP server in a process of its own, and HTTP servers that remember."""

import base64
import contextlib
import email
import email.policy
import json
import mailbox
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Debian's aiosmtpd; the socket listens before the server starts, so that nobody has to wait for it.
_SMTP = """
import asyncio, socket, sys
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP
async def serve():
    handler = Mailbox(sys.argv[2])
    listener = socket.socket(fileno=int(sys.argv[1]))
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), sock=listener)
    await server.serve_forever()
asyncio.run(serve())
"""


@dataclass(frozen=True)
class MailServer:
    """An SMTP server that keeps what it accepts in a maildir."""

    port: int
    directory: Path

    def messages(self) -> list[EmailMessage]:
        """What has arrived."""
        return [
            email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
            for message in mailbox.Maildir(self.directory)
        ]


@contextlib.contextmanager
def mail_server(directory: Path) -> Iterator[MailServer]:
    """Runs while the block does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            ["/usr/bin/python3", "-c", _SMTP, str(listener.fileno()), str(directory)], pass_fds=[listener.fileno()]
        )
    try:
        yield MailServer(port, directory)
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Request:
    """What an HTTP receiver got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """The body, which is JSON."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


Answer = tuple[int, bytes]


@dataclass
class Receiver:
    """An HTTP server: remembers each request, and answers as `answer` says."""

    answer: Callable[[Request], Answer]
    requests: list[Request] = field(default_factory=list)
    address: str = "127.0.0.1"
    port: int = 0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, number: int) -> None:
        """Wait until so many requests have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= number, timeout=60)

    def url(self, scheme: str = "http", path: str = "") -> str:
        return f"{scheme}://{self.address}:{self.port}{path}"


@contextlib.contextmanager
def receiver(
    answer: Callable[[Request], Answer] = lambda request: (200, b""), *, address: str = "127.0.0.1"
) -> Iterator[Receiver]:
    """Runs while the block does, at an address of this machine."""
    found = Receiver(answer, address=address)

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = Request(self.command, self.path, dict(self.headers.items()), body)
            with found.arrived:
                found.requests.append(request)
                found.arrived.notify_all()
            status, data = found.answer(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _take  # noqa: N815 - the names that the base class calls

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((address, 0), Handler) as server:
        server.daemon_threads = True
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def ntfy(token: str, topic: str) -> Callable[[Request], Answer]:
    """Answers as ntfy does (https://docs.ntfy.sh/publish/#publish-as-json), for one topic that needs a token."""

    def answer(request: Request) -> Answer:
        wanted = {f"Bearer {token}", "Basic " + base64.b64encode(f":{token}".encode()).decode()}
        if request.headers.get("Authorization") not in wanted:
            return 401, b'{"code":40101,"http":401,"error":"unauthorized"}'
        message = request.json()
        if message.get("topic") != topic:
            return 403, b'{"code":40301,"http":403,"error":"forbidden"}'
        return 200, json.dumps({"id": "x1", "time": 1, "event": "message", **message}).encode()

    return answer
