"""A real nginx on loopback, in a process of the test's own."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    default_type text/plain;
{servers}
}}
"""


@dataclass
class Nginx:
    """A running nginx; `ports` by the names they were asked for with."""

    directory: Path
    ports: Mapping[str, int]
    process: "subprocess.Popen[bytes]"

    @property
    def config(self) -> Path:
        return self.directory / "nginx.conf"

    @property
    def log(self) -> str:
        return (self.directory / "error.log").read_text()


@contextlib.contextmanager
def running_nginx(directory: Path, servers: str, *ports: str) -> Iterator[Nginx]:
    """Runs while the block does. In `servers`, PORT_x stands for 127.0.0.1 and the port called x, NUMBER_x for that.

    nginx inherits sockets that listen already, as it does from its predecessor in an upgrade, so nobody has to wait.
    """
    directory.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in ports}
        numbers = {name: each.getsockname()[1] for name, each in sockets.items()}
        for name, number in numbers.items():
            servers = servers.replace(f"NUMBER_{name}", str(number)).replace(f"PORT_{name}", f"127.0.0.1:{number}")
        (directory / "nginx.conf").write_text(_CONFIG.format(directory=directory, servers=servers))
        descriptors = [each.fileno() for each in sockets.values()]
        process = subprocess.Popen(
            ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"],
            env={**os.environ, "NGINX": "".join(f"{descriptor};" for descriptor in descriptors)},
            pass_fds=descriptors,
        )
    try:
        yield Nginx(directory, numbers, process)
    finally:
        process.terminate()
        process.wait()
