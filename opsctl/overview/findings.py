"""What discovery found, as values for the settings and as sentences for a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from opsctl.stack.discovery import Found, discover
from opsctl.stack.rooted import below


@dataclass(frozen=True)
class Findings:
    """Values by section, sentences about what was found, and sentences about what was not understood."""

    sections: dict[str, Any]
    found: tuple[str, ...]
    not_understood: tuple[str, ...]


def look_around(root: Path) -> Findings:
    """Look around on the host whose `/` is `root`; nothing is run, nothing is changed."""
    found = discover(root)
    return Findings(
        sections=_sections(found),
        found=tuple(_sentences(found)),
        not_understood=tuple(f"{puzzle.what} ({puzzle.where}): {puzzle.hint}" for puzzle in found.not_understood),
    )


def _sections(found: Found) -> dict[str, Any]:
    sections: dict[str, Any] = {
        "sites": [_values(site.section()) for site in found.sites],
        "nginx": _values(found.nginx.section()) if found.nginx else {"enabled": False},
    }
    if found.mariadb is not None:
        sections["database"] = _values(found.mariadb.section(found.root))
    return sections


def _values(section: BaseModel) -> dict[str, Any]:
    """What differs from the defaults, and so has to stand in the file."""
    return {key: value for key, value in section if value != type(section).model_fields[key].default}


def _sentences(found: Found) -> Iterator[str]:
    if found.mariadb is not None:
        running = "" if below(found.root, found.mariadb.socket).is_socket() else ", which does not run now"
        encrypted = f", encrypted by {found.mariadb.key_plugin}" if found.mariadb.key_plugin else ""
        yield f"MariaDB at {found.mariadb.socket}{encrypted}{running}"
    if found.nginx is not None:
        yield f"nginx with {len(found.nginx.files)} files and {len(found.nginx.server_names)} server names"
    for site in found.sites:
        names = f" ({', '.join(site.server_names)})" if site.server_names else ""
        yield f"{site.kind} '{site.name}' in {site.code or site.paths[0]}{names}"
