"""Versions of programs and servers, found in what they say."""

import re
from dataclasses import dataclass

# Old replication clients made servers put `5.5.5-` before their version, so the one before the name counts.
_OF_MARIADB = re.compile(r"\b(\d+)\.(\d+)\.(\d+)-MariaDB", re.IGNORECASE)
_ANY = re.compile(r"\b(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, order=True)
class Version:
    """A version of three numbers."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def find_version(text: str) -> Version | None:
    """The version in a text such as `mariadb-backup based on MariaDB server 10.11.19-MariaDB …`."""
    match = _OF_MARIADB.search(text) or _ANY.search(text)
    return None if match is None else Version(*(int(number) for number in match.groups()))
