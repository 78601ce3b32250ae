"""A site as it is being found, and what every kind of site needs before it is whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opsctl.stack.discovery.found import FoundSite, Login
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.secrets import secret_files

_DEEPEST = 4
_PASSES = 5
# What packages bring is there after they are installed again.
_SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc", "/sys", "/run", "/etc/ssl")))
_LOCAL = (Path("/usr/local"), Path("/etc/ssl/private"))


@dataclass(frozen=True)
class Draft:
    """A site before its trees were looked through. It is named `named`, else after its `hosts`, else after its `home`.

    `excluded` are directories whose content is not worth keeping, if they are there.
    """

    kind: Literal["wordpress", "codeigniter", "static", "python"]
    home: Path
    paths: tuple[Path, ...]
    hosts: tuple[str, ...] = ()
    server_names: tuple[str, ...] = ()
    secrets: tuple[Path, ...] = ()
    excluded: tuple[Path, ...] = ()
    config: Path | None = None
    code: Path | None = None
    http_host: str | None = None
    uploads: Path | None = None
    login: Login | None = None
    multisite: bool = False
    named: str | None = None


def complete(host: HostFiles, draft: Draft, name: str) -> FoundSite:
    """Follow the links that lead out of a site's trees, and find the secrets in them."""
    uploads = (draft.uploads,) if draft.uploads else ()
    paths = _without_nested(host, draft.paths)
    for _ in range(_PASSES):
        further = [path for path in _leading_out(host, paths, uploads) if not _covered(host, path, (*paths, *uploads))]
        if not further:
            break
        paths = _without_nested(host, (*paths, *further))
    secrets = [host.real(file) for file in draft.secrets if host.is_file(file)]
    secrets += secret_files(host, paths, uploads)
    return FoundSite(
        name=name,
        kind=draft.kind,
        paths=paths,
        exclude=tuple(_pattern(host, paths, each) for each in draft.excluded if host.is_dir(each)),
        secret_files=tuple(dict.fromkeys(lasting(host, paths, file) for file in secrets)),
        config=draft.config,
        code=draft.code,
        http_host=draft.http_host,
        uploads=draft.uploads,
        server_names=draft.server_names,
        login=draft.login,
        multisite=draft.multisite,
    )


def lasting(host: HostFiles, paths: Iterable[Path], real: Path) -> Path:
    """The name of a file by one of `paths`: it leads there even after the next release lies behind a link in it."""
    for path in paths:
        if real.is_relative_to(host.real(path)):
            return path / real.relative_to(host.real(path))
    return real


def _pattern(host: HostFiles, paths: Iterable[Path], directory: Path) -> str:
    """The pattern of all that is in a directory. Patterns are matched with real paths: any release's will do."""
    real = host.real(directory)
    for path in paths:
        if host.is_link(path) and real.is_relative_to(host.real(path)):
            return f"{host.real(path).parent}/*/{real.relative_to(host.real(path))}/*"
    return f"{real}/*"


def covers(host: HostFiles, paths: Iterable[Path], path: Path) -> bool:
    """Whether a path lies in one of `paths`, links followed."""
    return _covered(host, host.real(path), paths)


def _covered(host: HostFiles, real: Path, paths: Iterable[Path]) -> bool:
    return any(real.is_relative_to(host.real(path)) for path in paths)


def _without_nested(host: HostFiles, paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths that are there, without those that lie in others."""
    there = [path for path in dict.fromkeys(paths) if host.is_dir(path) or host.is_file(path)]
    kept: list[Path] = []
    for path in there:
        others = [other for other in there if other != path]
        real = host.real(path)
        inside = [other for other in others if real.is_relative_to(host.real(other))]
        # Two names of one directory: the first stays.
        if all(host.real(other) == real and there.index(path) < there.index(other) for other in inside):
            kept.append(path)
    return tuple(kept)


def _leading_out(host: HostFiles, paths: Iterable[Path], apart: Iterable[Path]) -> Iterator[Path]:
    """Where links in the trees lead to, by real paths; not what packages bring, and not what is not there."""
    closed = tuple(host.real(path) for path in apart)
    paths = tuple(paths)
    for path in paths:
        for link in _links(host, host.real(path), closed, 0):
            real = host.real(link)
            system = any(real.is_relative_to(each) for each in _SYSTEM)
            local = any(real.is_relative_to(each) for each in _LOCAL)
            if system and not local:
                continue
            if any(host.real(each).is_relative_to(real) for each in paths) and not _covered(host, real, paths):
                host.note(link, f"leads to {real}, around the site itself", "add what belongs to the site to its paths")
            elif host.is_dir(real) or host.is_file(real):
                yield real


def _links(host: HostFiles, directory: Path, apart: tuple[Path, ...], depth: int) -> Iterator[Path]:
    if directory in apart or depth > _DEEPEST:
        return
    for name in host.names(directory):
        path = directory / name
        if host.is_link(path):
            yield path
        elif host.is_dir(path) and name not in ("node_modules", ".git"):
            yield from _links(host, path, apart, depth + 1)
