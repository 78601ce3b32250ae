"""Signed documents in a repository: published signature first, so that a document is never seen without one."""

from datetime import datetime

from pydantic import BaseModel

from backup.layout import SIGNATURE
from opsctl.core.canonical import canonical
from opsctl.core.signing import Namespace, Signer, Verifier
from opsctl.core.store import Store, get, put


def publish(store: Store, signer: Signer, namespace: Namespace, key: str, document: BaseModel) -> bytes:
    """Sign a document and publish it under `key`; return its bytes (canonical JSON)."""
    data = canonical(document)
    put(store, key + SIGNATURE, signer.sign(data, namespace))
    put(store, key, data)
    return data


def fetch(store: Store, verifier: Verifier, namespace: Namespace, key: str, *, at: datetime | None = None) -> bytes:
    """Read a document and verify its signature; `at` is when the key had to be valid (UTC), by default now.

    Raises MissingError, SignatureError.
    """
    data = get(store, key)
    verifier.verify(data, get(store, key + SIGNATURE), namespace, what=key, at=at)
    return data
