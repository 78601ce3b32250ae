"""Canonical JSON (RFC 8785): the one spelling of a value, so that its hash means something."""

import hashlib
import json
from typing import TypeVar

import rfc8785
from pydantic import BaseModel, ValidationError

from opsctl.core.errors import IntegrityError

Document = TypeVar("Document", bound=BaseModel)


def canonical(model: BaseModel) -> bytes:
    """Serialise a model canonically. Integers beyond 2^53 do not exist in it: such fields are decimal strings."""
    return rfc8785.dumps(model.model_dump(mode="json"))


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def parse_versioned(model: type[Document], data: bytes, *, what: str, version: int) -> Document:
    """Read a document with a `version`; `what` names it in errors.

    Raises IntegrityError when its version is not `version` (a newer opsctl wrote it) or when it is not of its form.
    """
    try:
        found = json.loads(data)["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{what} cannot be read: it is no versioned JSON document") from error
    if found != version:
        raise IntegrityError(
            f"{what} has version {found}; this opsctl knows version {version}", hint="use the opsctl that wrote it"
        )
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(f"{what} is not of its form: {place}: {first['msg']}") from error
