"""opsctl itself on a host: its wheel and those of what it depends on, none other than those that were locked."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError, SettingsError
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.resources import Program, Resource, Wheel

NAME = "opsctl"
LOCK = "requirements.lock"
# What it drives on a host, besides what is there for the stack: docs/dependencies.md.
PACKAGES = ("age", "python3-venv", "tzdata", "zstd")
_HINT = "how the directory is filled: docs/deploy.md"


def packages(subject: Subject) -> tuple[str, ...]:
    """What Debian has to bring."""
    return PACKAGES if subject.inventory.opsctl is not None else ()


def program(subject: Subject) -> Iterator[Resource]:
    """opsctl, where the inventory has [opsctl]. Raises SettingsError, IntegrityError for wheels that are not locked."""
    section = subject.inventory.opsctl
    if section is not None:
        source = section.wheels.absolute()
        wheels = locked(source)
        version = sha256_hex("".join(f"{wheel.file} {wheel.sha256}\n" for wheel in wheels).encode())[:16]
        yield Program(name=NAME, source=source, version=version, wheels=wheels, early=True)


def locked(directory: Path) -> tuple[Wheel, ...]:
    """The wheels of a directory in order: one of opsctl, the others as its requirements.lock has their hashes.

    Raises SettingsError when it is no such directory, IntegrityError for a wheel that is not locked.
    """
    try:
        lock = (directory / LOCK).read_text(encoding="utf-8")
        files = sorted(directory.glob("*.whl"))
        wheels = tuple(Wheel(file=file.name, sha256=_digest(file)) for file in files)
    except OSError as error:
        raise SettingsError(
            f"the wheels cannot be read: {error.strerror}", where=str(error.filename), hint=_HINT
        ) from error
    own = [wheel for wheel in wheels if wheel.file.startswith(f"{NAME}-")]
    if len(own) != 1:
        raise SettingsError(f"there has to be one wheel of {NAME}, not {len(own)}", where=str(directory), hint=_HINT)
    hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
    if odd := [wheel.file for wheel in wheels if wheel not in own and wheel.sha256 not in hashes]:
        raise IntegrityError(f"{LOCK} does not have the hash of {', '.join(odd)}", where=str(directory), hint=_HINT)
    return wheels


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
