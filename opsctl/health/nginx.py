"""nginx as maintenance needs it: whether it includes the snippets, and how it is told to read them."""

import re
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
    """Let the running nginx read its configuration again; why it did not."""
    done = runner.run(command("nginx", "-c", config, "-s", "reload"), timeout_s=TIMEOUT_S)
    return None if done.ok else _said(done)


def _said(done: Completed) -> str:
    lines = [line for line in done.stderr.strip().splitlines() if "[emerg]" in line or "[error]" in line]
    return (lines or [f"it exited with {done.status}"])[-1]
