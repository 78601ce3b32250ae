"""nginx as maintenance needs it: whether it includes the snippets, and how it is told to read them."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.process import Completed, command
from opsctl.core.runner import Runner
from opsctl.health.snippets import HTTP_FILE, SERVER_FILE
from opsctl.stack.nginx import Directive, read_nginx

TIMEOUT_S = 30.0
TAKEN_UP_S = 30.0
POLL_S = 0.02
PID_FILE = Path("/run/nginx.pid")  # where Debian's build has it, when the configuration does not say
# A redirect, a refusal (444 is nginx's own word for hanging up), or an address, which is a redirect.
_AWAY = re.compile(r"3\d\d$|4\d\d$|https?://|\$scheme://")
_RENEWAL = "/.well-known/acme-challenge"


@dataclass(frozen=True)
class Gap:
    """A place where an include is missing: what it is, and the line that belongs there."""

    where: str
    line: str


def include_lines(directory: Path) -> tuple[str, str]:
    """The lines that belong into `http { }` and into each `server { }`. As patterns, they may match nothing."""
    http, server = (directory / name.replace(".", "*.") for name in (HTTP_FILE, SERVER_FILE))
    return f"include {http};", f"include {server};"


def gaps(config: Path, directory: Path) -> tuple[Gap, ...]:
    """Where nginx does not include the snippets that lie in `directory`. Raises OpsError when it cannot be read."""
    return tuple(_gaps(read_nginx(Path("/"), config).directives, directory))


def _gaps(directives: Sequence[Directive], directory: Path) -> Iterator[Gap]:
    in_http, in_server = include_lines(directory)
    for http in (each for each in directives if each.name == "http"):
        if not _includes(http, directory / HTTP_FILE):
            yield Gap(f"http {{ }} in {http.file}, line {http.line}", in_http)
        for server in (each for each in http.block if each.name == "server"):
            if not _is_elsewhere(server) and not _includes(server, directory / SERVER_FILE):
                names = next((" ".join(each.args) for each in server.block if each.name == "server_name"), "_")
                yield Gap(f"server {{ }} of {names} in {server.file}, line {server.line}", in_server)


def _includes(block: Directive, file: Path) -> bool:
    return any(each.name == "include" and fnmatchcase(str(file), each.args[0]) for each in block.block)


def _is_elsewhere(server: Directive) -> bool:
    """Whether a server only leads visitors to another one, or away, but for who renews a certificate."""
    if ("ssl_reject_handshake", ("on",)) in ((each.name, each.args) for each in server.block) or _leads_away(server):
        return True
    locations = [each for each in server.block if each.name == "location" and not each.args[-1].startswith(_RENEWAL)]
    return any(each.args == ("/",) for each in locations) and all(_leads_away(each) for each in locations)


def _leads_away(block: Directive) -> bool:
    return any(each.name == "return" and _AWAY.match(each.args[0]) is not None for each in block.block)


def test_config(runner: Runner, config: Path) -> None:
    """Let nginx judge its configuration. Raises OpsError with its words."""
    done = runner.run(command("nginx", "-t", "-q", "-c", config), timeout_s=TIMEOUT_S)
    if not done.ok:
        raise OpsError(f"nginx refuses its configuration: {_said(done)}", where=str(config), hint="nginx -t")


def reload_config(runner: Runner, config: Path) -> str | None:
    """Let the running nginx read its configuration again, and wait until it alone is what visitors get; why it is not.

    `nginx -s reload` only sends a signal. The workers there were answer on until the new ones have begun, and for good
    when the master finds something wrong that no test finds, such as an address that is taken.
    """
    master = _master(config)
    before = _workers(master) if master else frozenset()
    done = runner.run(command("nginx", "-c", config, "-s", "reload"), timeout_s=TIMEOUT_S)
    if not done.ok:
        return _said(done)
    end = time.monotonic() + TAKEN_UP_S
    while master and before & _workers(master):
        if time.monotonic() >= end:
            return f"its workers answer as before {TAKEN_UP_S:.0f} s later; why is in its error log"
        time.sleep(POLL_S)
    return None


def _master(config: Path) -> int | None:
    """Who is told to reload: the process that the pid file names."""
    named = [each.args[0] for each in read_nginx(Path("/"), config).directives if each.name == "pid"]
    try:
        return int(Path(named[0] if named else PID_FILE).read_text())
    except (OSError, ValueError):
        return None  # nobody is told, and nginx says so


def _workers(master: int) -> frozenset[int]:
    """The workers that take visitors: one that has been told to end writes that into its title, and takes no more."""
    found = set()
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if parent == master and title.startswith(b"nginx: worker process") and b"shutting down" not in title:
            found.add(pid)
    return frozenset(found)


def _said(done: Completed) -> str:
    lines = [line for line in done.stderr.strip().splitlines() if "[emerg]" in line or "[error]" in line]
    return (lines or [f"it exited with {done.status}"])[-1]
