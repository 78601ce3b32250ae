"""Canonical JSON (RFC 8785): the one spelling of a value, so that its hash means something."""

import hashlib

import rfc8785
from pydantic import BaseModel


def canonical(model: BaseModel) -> bytes:
    """Serialise a model canonically. Integers beyond 2^53 do not exist in it: such fields are decimal strings."""
    return rfc8785.dumps(model.model_dump(mode="json"))


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
