"""What `nginx -t` needs around a restored configuration to judge it as on its own host: not the configuration's fault.

nginx -t creates its logs, its pid file and its temporary directories, listens on every address and resolves every name
of an upstream. In the sandbox the directories are made, addresses are put on the loopback interface, names lead to it.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import crossplane

from opsctl.core.process import Command, command
from opsctl.stack.rooted import below, resolve

_LOGS = ("access_log", "error_log", "pid", "lock_file", "client_body_temp_path", "fastcgi_temp_path",
         "proxy_temp_path", "scgi_temp_path", "uwsgi_temp_path", "proxy_cache_path", "fastcgi_cache_path",
         "scgi_cache_path", "uwsgi_cache_path")  # fmt: skip
_NO_FILE = ("off", "stderr", "syslog:", "memory:", "pipe:", "/dev/")
_PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass", "server")
_SCHEME = re.compile(r"^[a-z]+://")
_HOST = re.compile(r"[^/:$\[]+")
_DEBIAN = ("/run", "/var/log/nginx", "/var/lib/nginx", "/var/cache/nginx")

# Runs in the sandbox: gives the loopback interface the addresses before `--`, then runs what follows with nothing left
# but the right to listen on low ports.
_ADD_ADDRESSES = 'while [ "$1" != -- ]; do ip address add "$1" dev lo || exit 97; shift; done; shift; exec "$@"'
_LISTEN_ONLY = ("--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service")


@dataclass(frozen=True)
class Needs:
    """`directories`: parents of what nginx writes; `names`: hosts to resolve; `addresses`: to listen on."""

    directories: tuple[str, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]

    def hosts(self) -> str:
        """The content of /etc/hosts in which every name is there."""
        return "".join(f"127.0.0.1 {name}\n" for name in ("localhost", *self.names)) + "::1 localhost\n"

    def room_words(self, tree: Path, shown: Sequence[str]) -> list[str]:
        """bubblewrap's words that make the directories writable and, inside what `shown` names, empty."""
        words: list[str] = []
        for directory in self.directories:
            real = resolve(tree, Path(directory))[1]
            if not any(real.is_relative_to(path) for path in shown):
                words += ["--dir", str(real)]
            elif below(tree, real).is_dir():
                words += ["--tmpfs", str(real)]
        return words

    def test_command(self, config: str) -> Command:
        """`nginx -t`, after the addresses were added if there are any."""
        test = ("nginx", "-t", "-q", "-c", config)
        if not self.addresses:
            return command(*test)
        return command("sh", "-c", _ADD_ADDRESSES, "sh", *self.addresses, "--", "setpriv", *_LISTEN_ONLY, *test)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The capabilities that `test_command` needs, in a network of its own."""
        return ("CAP_NET_BIND_SERVICE", *(("CAP_NET_ADMIN",) if self.addresses else ()))


def read_needs(tree: Path, files: Iterable[Path]) -> Needs:
    """Collect what the configuration's files need; `files` are the host's paths, each one parsed without trouble."""
    directories, names, addresses = dict.fromkeys(_DEBIAN), dict[str, None](), dict[str, None]()
    for file in files:
        place = below(tree, resolve(tree, file)[1])
        parsed = crossplane.parse(str(place), single=True, check_ctx=False, check_args=False, comments=False)
        for name, args in _flat(parsed["config"][0]["parsed"]):
            if name in _LOGS and args[0] and not args[0].startswith(_NO_FILE) and "$" not in args[0]:
                directories[str(PurePosixPath(file.parent, args[0]).parent)] = None
            elif name == "listen":
                _take_listen(args[0], directories, addresses)
            elif name in _PASSES:
                names.update(dict.fromkeys(_hostnames(args[0])))
    return Needs(tuple(directories), tuple(names), tuple(addresses))


def _flat(parsed: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for item in parsed:
        if item["args"]:
            yield item["directive"], item["args"]
        yield from _flat(item.get("block", []))


def _take_listen(value: str, directories: dict[str, None], addresses: dict[str, None]) -> None:
    if value.startswith("unix:"):
        directories[str(PurePosixPath(value.removeprefix("unix:")).parent)] = None
        return
    found = re.fullmatch(r"\[([0-9a-fA-F:]+)\](?::\d+)?|([0-9.]+)(?::\d+)?", value)
    if found is None:
        return
    try:
        address = ipaddress.ip_address(found[1] or found[2])
    except ValueError:  # a port alone
        return
    if not address.is_unspecified and not address.is_loopback:
        addresses[f"{address}/{address.max_prefixlen}"] = None


def _hostnames(value: str) -> list[str]:
    """The name in the address of an upstream, if it is one to be resolved when the configuration is read."""
    found = _HOST.match(_SCHEME.sub("", value))
    if found is None or found[0] == "unix":
        return []
    try:
        ipaddress.ip_address(found[0])
    except ValueError:
        return [found[0]]
    return []
