"""The repository's own pages: how to restore by hand, without opsctl."""

from contextlib import suppress
from importlib.resources import files

from opsctl.core.store import ExistsError, Store, put

KEY = "README.txt"
EXPORTS = "README-exports.txt"


def readme_text() -> str:
    """The page."""
    return (files("backup") / "data" / KEY).read_text(encoding="utf-8")


def publish_readme(store: Store) -> None:
    """Put the page into the repository's root, unless one is there."""
    _publish(store, KEY, readme_text())


def exports_key(stack: str) -> str:
    """Key of the page about a stack's logical exports."""
    return f"{stack}/{EXPORTS}"


def publish_exports_readme(store: Store, stack: str) -> None:
    """Put the page about logical exports beside them, unless one is there."""
    publish_readme(store)
    _publish(store, exports_key(stack), (files("backup") / "data" / EXPORTS).read_text(encoding="utf-8"))


def _publish(store: Store, key: str, text: str) -> None:
    if store.stat(key) is None:
        with suppress(ExistsError):
            put(store, key, text.encode())
