"""Versions of programs and servers, found in what they say."""

import re
from dataclasses import dataclass

_NUMBERS = re.compile(r"\b(\d+)\.(\d+)\.(\d+)-?MariaDB|\b(\d+)\.(\d+)\.(\d+)", re.IGNORECASE)


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
    match = _NUMBERS.search(text)
    if match is None:
        return None
    return Version(*(int(number) for number in match.groups() if number is not None))
