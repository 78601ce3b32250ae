"""The repository's own page: how to restore by hand, without opsctl."""

from contextlib import suppress
from importlib.resources import files

from opsctl.core.store import ExistsError, Store, put

KEY = "README.txt"


def readme_text() -> str:
    """The page."""
    return (files("backup") / "data" / KEY).read_text(encoding="utf-8")


def publish_readme(store: Store) -> None:
    """Put the page into the repository's root, unless one is there."""
    if store.stat(KEY) is None:
        with suppress(ExistsError):
            put(store, KEY, readme_text().encode())
