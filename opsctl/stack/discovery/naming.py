"""Gives each site a name that is short, its own, and the same the next time."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from opsctl.stack.discovery.drafts import Draft

# The names of the archives of the web server's and the database's configuration.
_TAKEN = ("nginx", "mariadb")
# Directories that are called alike at every site.
_GENERIC = ("current", "htdocs", "html", "httpdocs", "public", "public_html", "web", "webroot", "www", "src", "app")
_LONGEST = 63


def names(drafts: Sequence[Draft]) -> tuple[str, ...]:
    """A name for each: the first word of its host name, all of it where that is not enough, in the end a number."""
    short = [_short(draft) for draft in drafts]
    counted = Counter([*short, *_TAKEN])
    found: list[str] = []
    for draft, name in zip(drafts, short, strict=True):
        wanted = name if counted[name] == 1 else _long(draft, name)
        unique, number = wanted, 1
        while unique in found or unique in _TAKEN:
            number += 1
            unique = f"{wanted[: _LONGEST - 4]}-{number}"
        found.append(unique)
    return tuple(found)


def first_word(hosts: Sequence[str], home: Path) -> str:
    """What tells a host name from others: `blog` of www.blog.example; a directory's own name if there is none."""
    if hosts:
        return hosts[0].lower().removeprefix("www.").partition(".")[0]
    own = [part for part in home.parts[1:] if part not in _GENERIC]
    return own[-1] if own else "site"


def _short(draft: Draft) -> str:
    return _slug(draft.named or first_word(draft.hosts, draft.home))


def _long(draft: Draft, name: str) -> str:
    return _slug(draft.hosts[0].lower().removeprefix("www.")) if draft.hosts and not draft.named else name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST].strip("-") or "site"
