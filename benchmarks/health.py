"""`opsctl health run` over ten sites of a real nginx, a database and two queues: seconds, and the most memory."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.mariadb import Server, running_server
from tests.support.nginx import Nginx, running_nginx

SITES = 10
ROUNDS = 5
_SERVER = """
server {{ listen PORT_tls ssl; server_name site{number}.example; ssl_certificate {certificate};
          ssl_certificate_key {key}; location / {{ return 200 "Welcome"; }} }}
"""
_VISIT = """
[[visits]]
name = "site{number}"
url = "https://site{number}.example:{port}/"
address = "127.0.0.1"
text = "Welcome"
ca_file = "{authority}"
"""
_SETTINGS = """
[stack]
name = "acme"
[trust]
signer = "host@acme"
[machine]
state_dir = "{directory}/state"
lock_dir = "{directory}/locks"
[nginx]
config = "{config}"
[database]
socket = "{socket}"
[health]
database_user = "health"
[[queues]]
name = "mail"
sql = "SELECT COUNT(*) FROM crm.queue"
limit = 10
[[queues]]
name = "jobs"
sql = "SELECT COUNT(*) FROM crm.queue WHERE sent IS NULL"
limit = 10
"""


def main() -> None:
    """Measure several runs and print the figures."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name, running_server() as server:
        directory = Path(name)
        server.sql(
            "CREATE DATABASE crm",
            "CREATE TABLE crm.queue (id INT PRIMARY KEY, sent DATETIME NULL)",
            "CREATE USER health@localhost",
            "GRANT SELECT ON crm.queue TO health@localhost",
        )
        authority = Authority(directory / "ca")
        with running_nginx(directory / "nginx", _servers(authority), "tls") as nginx:
            _write_settings(directory, nginx, server, authority)
            runs = [_run(directory) for _ in range(ROUNDS + 1)][1:]
    seconds = statistics.median(run[0] for run in runs)
    print(f"\nhealth run over {SITES} sites  (aim: under 2 s and 60 MiB)")
    print(f"  {seconds:.2f} s (median of {ROUNDS}), at most {max(run[1] for run in runs):.1f} MiB")


def _servers(authority: Authority) -> str:
    issued = [authority.issue(f"site{number}.example") for number in range(SITES)]
    return "".join(
        _SERVER.format(number=number, certificate=each.certificate, key=each.key) for number, each in enumerate(issued)
    )


def _write_settings(directory: Path, nginx: Nginx, server: Server, authority: Authority) -> None:
    text = _SETTINGS.format(directory=directory, config=nginx.config, socket=server.socket)
    for number in range(SITES):
        text += _VISIT.format(number=number, port=nginx.ports["tls"], authority=authority.file)
    (directory / "opsctl.toml").write_text(text)


def _run(directory: Path) -> tuple[float, float]:
    """Seconds, and MiB of the most memory that was resident."""
    words = [sys.executable, "-m", "opsctl", "--config", str(directory / "opsctl.toml"), "health", "run", "--quiet"]
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, words, dict(os.environ))
    _, status, usage = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "health found something wrong with the benchmark's sites"
    return time.perf_counter() - started, usage.ru_maxrss / 1024
