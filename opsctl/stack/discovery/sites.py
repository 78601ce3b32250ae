"""Finds all sites: what each directory of the web server holds, and the Python services."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from opsctl.stack.discovery.codeigniter import find_codeigniter
from opsctl.stack.discovery.drafts import Draft, complete, covers
from opsctl.stack.discovery.found import FoundSite
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.naming import first_word, names
from opsctl.stack.discovery.python_services import Service, find_python_services
from opsctl.stack.discovery.vhosts import Vhost
from opsctl.stack.discovery.web import WebSite, web_sites
from opsctl.stack.discovery.wordpress import find_wordpress, is_wordpress

_PHP_DEPTH = 2


def find_sites(host: HostFiles, servers: Sequence[Vhost]) -> tuple[FoundSite, ...]:
    """Find every site, in the order of the web server's configuration, services last."""
    whole, parts = web_sites(host, servers)
    services = tuple(find_python_services(host))
    drafts = [draft for web in whole for draft in _in_directory(host, web)]
    drafts += [_of_service(service, servers) for service in services]
    for web in parts:
        if not any(covers(host, _reach(draft), web.root) for draft in drafts):
            drafts += [replace(draft, named=_named_within(web)) for draft in _in_directory(host, web)]
    _note_unknown_passes(host, servers, services)
    return tuple(complete(host, draft, name) for draft, name in zip(drafts, names(drafts), strict=True))


def _named_within(web: WebSite) -> str:
    """The name of what is only a part of what the web server answers with under a host name."""
    return f"{first_word(web.hosts, web.root.parent)}-{web.root.name}"


def _reach(draft: Draft) -> tuple[Path, ...]:
    return (*draft.paths, draft.uploads) if draft.uploads else draft.paths


def _in_directory(host: HostFiles, web: WebSite) -> Iterator[Draft]:
    """What a directory of the web server holds, and each WordPress one below it."""
    around = host.real(web.root)
    inner = [web.root / name for name in host.names(web.root)]
    below = [each for each in inner if is_wordpress(host, each) and not around.is_relative_to(host.real(each))]
    if is_wordpress(host, web.root):
        main = tuple(find_wordpress(host, web, web.root))
    elif len(below) == 1 and "wp-blog-header.php" in (host.read(web.root / "index.php") or ""):
        # WordPress "in its own directory": the site's index.php hands over to it.
        main, below = tuple(find_wordpress(host, web, below[0])), []
    else:
        main = tuple(_other(host, web, below))
    yield from (replace(draft, excluded=(*draft.excluded, *below)) for draft in main)
    for directory in below:
        inside = replace(web, root=directory)
        for draft in find_wordpress(host, inside, directory):
            yield replace(draft, named=_named_within(inside))


def _other(host: HostFiles, web: WebSite, below: Iterable[Path]) -> Iterator[Draft]:
    found = find_codeigniter(host, web)
    if found is not None:
        yield found
    elif php := next(_php(host, web.root, tuple(below), 0), None):
        host.note(
            web.root,
            f"{web.title}: PHP of a kind that is not understood ({php})",
            "add a [[sites]] table of kind static with its paths, and name its files with passwords in secret_files",
        )
    else:
        yield Draft(kind="static", home=web.root, paths=(web.root,), hosts=web.hosts, server_names=web.names)


def _php(host: HostFiles, directory: Path, apart: tuple[Path, ...], depth: int) -> Iterator[Path]:
    for name in host.names(directory):
        path = directory / name
        if name.endswith(".php") and host.is_file(path):
            yield path
        elif depth < _PHP_DEPTH and path not in apart and host.is_dir(path) and not host.is_link(path):
            yield from _php(host, path, apart, depth + 1)


def _of_service(service: Service, servers: Iterable[Vhost]) -> Draft:
    named = [name for vhost in servers if any(_is_its(service, each) for each in vhost.passes) for name in vhost.names]
    return replace(service.draft, named=service.name, server_names=tuple(dict.fromkeys(named)))


def _is_its(service: Service, address: str) -> bool:
    """Whether a unit's words hold the address to which the web server passes requests."""
    if address.startswith("unix:"):
        return address.removeprefix("unix:").partition(":")[0] in service.words
    port = address.rpartition(":")[2]
    return port.isdecimal() and re.search(rf"(?<!\d){port}(?!\d)", service.words) is not None


def _note_unknown_passes(host: HostFiles, servers: Iterable[Vhost], services: Iterable[Service]) -> None:
    services = tuple(services)
    for vhost in servers:
        for address in vhost.passes:
            if not any(_is_its(service, address) for service in services):
                host.note(
                    f"{vhost.file}:{vhost.line}",
                    f"{vhost.title} passes requests to {address}, and no Python service was found there",
                    "add a [[sites]] table for what answers there",
                )
