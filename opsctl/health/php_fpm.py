"""PHP-FPM: a worker of each pool has to answer, asked as the web server asks (FastCGI 1.0)."""

import socket
import struct
from functools import partial
from io import BufferedReader
from pathlib import Path

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.look import Look, Seen, good
from opsctl.core.runner import Runner
from opsctl.health.deadline import Deadline, Readable
from opsctl.health.names import check_id

# https://fastcgi-archives.github.io/FastCGI_Specification.html
_HEADER = struct.Struct("!BBHHBx")
_BEGIN, _END, _PARAMS, _STDIN, _STDOUT = 1, 3, 4, 5, 6
_RESPONDER = struct.pack("!HB5x", 1, 0)
_ID = 1
_PING = "/opsctl-health-ping"


def php_fpm_probe(path: Path, timeout_s: float) -> Look:
    """A probe of one pool's socket."""
    return Look(
        check_id("php", path.name.removesuffix(".sock")),
        f"PHP-FPM answers at {path.name}",
        f"a worker behind {path} answers within {timeout_s:g} s",
        partial(_look, path, timeout_s),
        needs_root=True,
        failing=(UnreachableError,),
    )


def _look(path: Path, timeout_s: float, host: Runner) -> Seen:
    status = ask(path, Deadline(timeout_s))
    return good(f"a worker answered ({status})")


def ask(path: Path, deadline: Deadline) -> str:
    """Ask for a page that is not there; return the status of the answer, which a worker has to give.

    Raises UnreachableError when nobody listens, no worker is free before the deadline, or the answer is no FastCGI.
    """
    where, hint = str(path), "look at it: systemctl status 'php*-fpm'; its pm.max_children may be too few"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(deadline.left())
        try:
            connection.connect(str(path))
            connection.sendall(_request())
            answer = _read(Readable(connection, deadline).makefile("rb"))
        except TimeoutError as error:
            raise deadline.over() from error
        except PermissionError as error:
            raise OpsError("the socket may not be used", where=where, hint="run it as root") from error
        except (OSError, struct.error) as error:
            said = error.strerror if isinstance(error, OSError) else "it ended in the middle of an answer"
            raise UnreachableError(f"no worker answers: {said or error}", where=where, hint=hint) from error
    for line in answer.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            return value.strip().decode(errors="replace")
    return "200"


def _request() -> bytes:
    words = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": _PING,
        "SCRIPT_FILENAME": _PING,
        "REQUEST_URI": _PING,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
    }
    pairs = b"".join(
        bytes([len(name), len(value)]) + name.encode("ascii") + value.encode("ascii") for name, value in words.items()
    )
    return b"".join(
        _HEADER.pack(1, kind, _ID, len(content), 0) + content
        for kind, content in ((_BEGIN, _RESPONDER), (_PARAMS, pairs), (_PARAMS, b""), (_STDIN, b""))
    )


def _read(stream: BufferedReader) -> bytes:
    """Everything on standard output until the end of the request. Raises struct.error when it breaks off."""
    answer = b""
    while True:
        _, kind, _, length, padding = _HEADER.unpack(stream.read(_HEADER.size))
        content = stream.read(length + padding)[:length]
        if kind == _STDOUT:
            answer += content
        if kind == _END:
            return answer
