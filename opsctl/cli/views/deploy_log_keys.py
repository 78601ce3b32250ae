"""The answer of `opsctl deploy log-keys`: names, never values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from opsctl.cli.output import Document, Painter


class DeployLogKeys(Document):
    """The secrets that were made, and the file that holds them; none when nothing was missing."""

    kind: Literal["deploy-log-keys"] = "deploy-log-keys"
    made: tuple[str, ...]
    file: Path


def text(document: DeployLogKeys, paint: Painter) -> Iterator[str]:
    """Write what is new, and what comes next."""
    if not document.made:
        yield "Every host has its key."
        return
    for name in document.made:
        yield f"{paint(name, 'bold')}: made"
    yield "Bring them to the hosts: opsctl deploy plan"
