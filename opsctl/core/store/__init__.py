"""Stores: where archives live. One interface, held by one contract suite."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from opsctl.core.errors import ExitCode, OpsError

PARTIAL = ".partial-"
_KEY = re.compile(r"(?!\.)[A-Za-z0-9._\-+=@]+(/(?!\.)[A-Za-z0-9._\-+=@]+)*")


class StoreError(OpsError):
    """A store could not do what was asked."""


class ExistsError(StoreError):
    """There is an object under this key already; nothing published is ever overwritten."""


class MissingError(StoreError):
    """There is no object under this key."""

    exit_code = ExitCode.INTEGRITY


class DeniedError(StoreError):
    """The store refuses: locked, or these credentials may not."""

    exit_code = ExitCode.AUTH


@dataclass(frozen=True)
class Stored:
    """One object in a store: its key, its size in bytes, and when it was published (UTC)."""

    key: str
    size: int
    modified: datetime


class Upload(Protocol):
    """An object being written; invisible under its key until `commit`. As a context manager, it aborts unless
    committed."""

    def write(self, data: memoryview | bytes) -> None:
        """Append bytes."""
        ...

    def commit(self) -> Stored:
        """Publish durably, all or nothing. Raises ExistsError if another was first."""
        ...

    def abort(self) -> None:
        """Forget what was written. Harmless after commit."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """A flat space of immutable objects under keys like `acme/backups/…/manifest.json`. There is no rename.

    Keys consist of letters, digits and `._-+=@`, in parts joined by `/`. All operations raise StoreError or
    UnreachableError; an object is visible whole or not at all.
    """

    @property
    def where(self) -> str:
        """The store's address, for a person."""
        ...

    def create(self, key: str, *, retain_until: datetime | None = None) -> Upload:
        """Begin an object. Raises ExistsError at once when there is one, DeniedError for a lock it cannot give."""
        ...

    def open(self, key: str, *, offset: int = 0) -> BufferedIOBase:
        """Read an object from a byte offset. Raises MissingError."""
        ...

    def stat(self, key: str) -> Stored | None:
        """Describe an object, or None when there is none."""
        ...

    def list(self, prefix: str, *, ending: str = "") -> Iterator[Stored]:
        """All objects whose key begins with the prefix and ends with `ending`, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object. Raises MissingError, DeniedError."""
        ...

    def remove_partials(self, prefix: str, *, older_than: datetime) -> int:
        """Remove what killed uploads below a prefix left before a time; return how many. Nothing was ever visible."""
        ...


@runtime_checkable
class LockingStore(Store, Protocol):
    """A store that can keep objects from everybody, this machine included, until a time (UTC)."""

    def locked_until(self, key: str) -> datetime | None:
        """Until when an object cannot be deleted; None when it can. Raises MissingError."""
        ...

    def extend_lock(self, key: str, until: datetime) -> None:
        """Lock an object until a time, or leave it when it is locked for longer. Raises MissingError, DeniedError."""
        ...


def check_key(key: str, where: str) -> None:
    """Raises StoreError for what is no key."""
    if not is_key(key):
        raise StoreError(f"'{key}' is not a key", where=where)


def is_key(name: str) -> bool:
    """Whether a name is a key."""
    return _KEY.fullmatch(name) is not None


def put(store: Store, key: str, data: bytes) -> Stored:
    """Publish a small object in one step."""
    with store.create(key) as upload:
        upload.write(data)
        return upload.commit()


def get(store: Store, key: str, *, limit: int = 64 << 20) -> bytes:
    """Read a small object whole. Raises MissingError, or StoreError when it is larger than `limit` bytes."""
    with store.open(key) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise StoreError(f"{key} is larger than {limit} bytes, which no such object is", where=store.where)
    return data
