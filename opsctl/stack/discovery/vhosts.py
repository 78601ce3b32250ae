"""nginx's servers: what each is called, and which directories and programs it answers from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opsctl.stack.nginx import Directive

_PASSES = ("proxy_pass", "uwsgi_pass", "grpc_pass", "scgi_pass")


@dataclass(frozen=True)
class WebRoot:
    """A directory that nginx answers from, as it is written; `location` if it holds for a part of the server only.

    `fixed` is the part before the first variable.
    """

    written: str
    location: str | None
    file: Path
    line: int

    @property
    def fixed(self) -> Path:
        """The directory, up to what is known only per request."""
        plain, variable, _ = self.written.partition("$")
        return Path(plain if not variable else plain.rpartition("/")[0] or "/")

    @property
    def is_fixed(self) -> bool:
        """Whether all of it is known."""
        return "$" not in self.written


@dataclass(frozen=True)
class Vhost:
    """One server block. `names` are as nginx has them; `parameters` are the fixed ones that PHP gets.

    `passes` are the addresses to which requests are passed on, upstreams resolved.
    """

    names: tuple[str, ...]
    roots: tuple[WebRoot, ...]
    passes: tuple[str, ...]
    parameters: Mapping[str, str]
    file: Path
    line: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that are host names: no wildcards, no expressions, none that stands for every host."""
        return tuple(name.removeprefix(".") for name in self.names if _is_host(name))

    @property
    def title(self) -> str:
        """The names for a person."""
        return ", ".join(self.names) or "a server without a name"


def vhosts(directives: Sequence[Directive], prefix: Path) -> tuple[Vhost, ...]:
    """The servers of a configuration; `prefix` is what relative paths are seen from.

    A server that only sends clients elsewhere has no roots.
    """
    upstreams: dict[str, tuple[str, ...]] = {}
    for block in _all(directives, "upstream"):
        if block.args:
            upstreams[block.args[0]] = tuple(
                each.args[0] for each in block.block if each.name == "server" and each.args
            )
    return tuple(
        _vhost(server, _own_root(http.block, prefix), prefix, upstreams)
        for http in directives
        if http.name == "http"
        for server in http.block
        if server.name == "server"
    )


def _vhost(
    server: Directive, inherited: WebRoot | None, prefix: Path, upstreams: Mapping[str, tuple[str, ...]]
) -> Vhost:
    names = [name for each in server.block if each.name == "server_name" for name in each.args if name]
    roots: list[WebRoot] = []
    if not any(each.name == "return" for each in server.block):
        own = _own_root(server.block, prefix) or inherited
        roots = [own] if own else []
        roots += _location_roots(server.block, prefix)
    return Vhost(
        names=tuple(dict.fromkeys(names)),
        roots=tuple(dict.fromkeys(roots)),
        passes=tuple(dict.fromkeys(_passes(server.block, upstreams))),
        parameters={
            each.args[0]: each.args[1]
            for each in _all(server.block, "fastcgi_param")
            if len(each.args) > 1 and "$" not in each.args[1]
        },
        file=server.file,
        line=server.line,
    )


def _own_root(block: Iterable[Directive], prefix: Path) -> WebRoot | None:
    for each in block:
        if each.name == "root" and each.args:
            return _root(each, None, prefix)
    return None


def _root(directive: Directive, location: str | None, prefix: Path) -> WebRoot:
    written = directive.args[0]
    if not written.startswith(("/", "$")):
        written = str(prefix / written)
    return WebRoot(written, location, directive.file, directive.line)


def _location_roots(block: Iterable[Directive], prefix: Path, location: str | None = None) -> Iterator[WebRoot]:
    """Roots and aliases inside of locations; not those of single pages and of certificate challenges."""
    for each in block:
        if each.name == "location":
            words = " ".join(each.args)
            if "acme-challenge" not in words and each.args[:1] != ("=",):
                yield from _location_roots(each.block, prefix, words)
        elif each.name == "alias" or (each.name == "root" and location is not None):
            if each.args:
                yield _root(each, location, prefix)
        elif each.block:
            yield from _location_roots(each.block, prefix, location)


def _passes(block: Iterable[Directive], upstreams: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for each in block:
        if each.name in _PASSES and each.args:
            address = each.args[0].partition("://")[2] or each.args[0]
            plain = address if address.startswith("unix:") else address.partition("/")[0]
            yield from upstreams.get(plain, (plain,))
        yield from _passes(each.block, upstreams)


def _all(block: Iterable[Directive], name: str) -> Iterator[Directive]:
    for each in block:
        if each.name == name:
            yield each
        yield from _all(each.block, name)


def _is_host(name: str) -> bool:
    plain = name.removeprefix(".")
    return bool(plain) and plain not in ("_", "localhost", "$hostname") and plain[0] != "~" and "*" not in plain
