"""Media in the vault: files under their SHA-256, each once."""

from hashlib import sha256
from typing import NamedTuple

from opsctl.core.errors import IntegrityError
from opsctl.core.failpoints import failpoint
from opsctl.core.store import ExistsError, Store
from vault.importing.source import CHUNK, Export


class Medium(NamedTuple):
    """A file: its SHA-256, its size in bytes, its name in the export, and whether the vault had it already."""

    sha256: bytes
    size: int
    name: str
    known: bool


def media_key(digest: bytes) -> str:
    """Where a file lies in the media directory."""
    return f"{digest.hex()[:2]}/{digest.hex()}"


def keep(store: Store, export: Export, name: str, shown: str) -> Medium:
    """Store a file of an export unless it is there. `shown` is its name as messages write it."""
    digest, size = sha256(), 0
    with export.source.open(name) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    found = digest.digest()
    key = media_key(found)
    if store.stat(key) is not None:
        return Medium(found, size, shown, True)
    try:
        with store.create(key) as upload, export.source.open(name) as stream:
            again = sha256()
            while chunk := stream.read(CHUNK):
                again.update(chunk)
                upload.write(chunk)
            if again.digest() != found:
                raise IntegrityError(f"'{name}' changed while it was read", where=export.where)
            failpoint("vault.import.media")
            upload.commit()
    except ExistsError:  # another import was first
        return Medium(found, size, shown, True)
    return Medium(found, size, shown, False)
