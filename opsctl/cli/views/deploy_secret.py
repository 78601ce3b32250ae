"""The answers of `opsctl deploy secret`: names, never values."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.words import printable


class DeploySecret(Document):
    """What was done with a secret, and the file that holds it."""

    kind: Literal["deploy-secret"] = "deploy-secret"
    name: str
    result: Literal["added", "replaced", "removed"]
    file: Path


class Secret(BaseModel):
    """A secret: whether it is there, and what uses it."""

    name: str
    there: bool
    uses: tuple[str, ...]


class DeploySecretList(Document):
    """The secrets of an inventory."""

    kind: Literal["deploy-secret-list"] = "deploy-secret-list"
    secrets: tuple[Secret, ...]


def listed(names: Sequence[str], uses: Mapping[str, Sequence[str]]) -> DeploySecretList:
    """Collect."""
    return DeploySecretList(
        secrets=tuple(
            Secret(name=name, there=name in names, uses=tuple(uses.get(name, ()))) for name in sorted({*names, *uses})
        )
    )


def secret_text(document: DeploySecret, paint: Painter) -> Iterator[str]:
    """Write what was done."""
    yield f"{paint(document.name, 'bold')}: {document.result} ({printable(str(document.file))})"


def list_text(document: DeploySecretList, inventory: Path, paint: Painter) -> Iterator[str]:
    """Write a line for each secret, then how to set those that are missing."""
    if not document.secrets:
        yield "there are no secrets"
    width = max((len(each.name) for each in document.secrets), default=0)
    for each in document.secrets:
        state = paint("kept   ", "green") if each.there else paint("MISSING", "red")
        yield f"{each.name:<{width}}  {state}  {', '.join(each.uses) or 'not used'}"
    for each in document.secrets:
        if not each.there:
            yield f"Set it: opsctl deploy secret set {printable(str(inventory))} {each.name} <FILE"
