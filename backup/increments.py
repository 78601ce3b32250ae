"""What an earlier backup holds of a set of files, and whether the next one may be built on it.

A set is one whole archive and increments, each unpacked onto what lies before it, after what was deleted meanwhile was
removed. A manifest names all of them in this order, wherever they lie, so that no other manifest is needed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import opsctl
from backup import remembered
from backup.context import Host
from backup.continuation import SLACK
from backup.manifest import Artefact, FileSet, Manifest
from backup.plan import PlannedSet
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import IntegrityError


@dataclass(frozen=True)
class Base:
    """The archives of a set that the next one is built on, in their order, its list, and what is remembered of it.

    `read_all`: every file has to be read, since the last time is too long ago, or others are secret now.
    """

    files: FileSet
    archives: tuple[Artefact, ...]
    listed: Artefact
    memory: Path
    read_all: bool

    @property
    def newest(self) -> Artefact:
        """The archive that an increment is unpacked onto."""
        return [each for each in self.archives if each.kind == "files"][-1]

    @property
    def number(self) -> int:
        """The number of the next increment."""
        return sum(each.kind == "files" for each in self.archives)


def shape(planned: PlannedSet) -> str:
    """What a set is: two of the same shape differ only by what happened to its files."""
    return _digest([*map(str, planned.paths)], [*planned.options.exclude])


def eyes(planned: PlannedSet) -> str:
    """By what files of a set are taken for secrets."""
    pattern: re.Pattern[bytes] | None = planned.options.secret
    return _digest(opsctl.__version__, str(planned.options.uploads), pattern.pattern.hex() if pattern else None)


def judged(planned: PlannedSet) -> str:
    """Both."""
    return f"{shape(planned)} {eyes(planned)}"


def find_base(host: Host, last: Manifest | None, planned: PlannedSet, now: datetime) -> Base | None:
    """What a set can be built on: what the last backup holds of it; None when it has to be stored whole.

    That is when nothing certain is known of it, when it is time, when another key has to open it, or when the
    increments have become more than they save.
    """
    files = next((each for each in last.files if each.name == planned.name), None) if last else None
    if last is None or files is None or files.read is None or files.stored is None:
        return None
    memory = remembered.directory(host, last.id) / planned.name
    was, _, seen_by = (remembered.judged_by(memory) or "").partition(" ")
    archives = tuple(archives_of_set(last, planned.name))
    settings = host.backup
    if (
        was != shape(planned)
        or not archives
        or sum(each.kind == "files" for each in archives) > settings.max_incrementals
        or now - files.stored >= timedelta(days=settings.store_files_days) - SLACK
        or sum(each.sealed.plain_size for each in archives[1:]) > archives[0].sealed.plain_size
        or not _usable(host, (*archives, last.artefact(f"files-{planned.name}.list")))
    ):
        return None
    read_all = seen_by != eyes(planned) or now - files.read >= timedelta(days=settings.read_files_days) - SLACK
    return Base(files, archives, last.artefact(f"files-{planned.name}.list"), memory, read_all)


def archives_of_set(manifest: Manifest, name: str) -> Iterator[Artefact]:
    """The archives of a set, in the order in which they are unpacked."""
    for artefact in manifest.artefacts:
        if artefact.kind in ("files", "deleted") and set_of(artefact) == name:
            yield artefact


def set_of(artefact: Artefact) -> str:
    """The set that an archive of files, of deletions, or a list belongs to."""
    return artefact.name.removeprefix("files-").partition(".")[0]


def misjoined(manifest: Manifest) -> Iterator[str]:
    """Say of each set whose archives do not join what is wrong with it."""
    for name in [files.name for files in manifest.files]:
        below: str | None = None
        for artefact in archives_of_set(manifest, name):
            if artefact.base != below:
                yield f"{artefact.name} is made on {artefact.base or 'nothing'}, and named after {below or 'nothing'}"
            if artefact.kind == "files":
                below = artefact.key
        if below is None:
            yield f"there is no archive of {name}"


def require_joined(manifest: Manifest) -> None:
    """Refuse files of which an increment has lost what it was made on. Raises IntegrityError."""
    for problem in misjoined(manifest):
        raise IntegrityError(
            f"the files of backup {manifest.id} are not whole: {problem}",
            hint="restore another one: opsctl backup list",
        )


def _usable(host: Host, artefacts: tuple[Artefact, ...]) -> bool:
    """Whether archives are there, with their sizes, and open for those for whom they would be sealed now."""
    for artefact in artefacts:
        stored = host.store.stat(artefact.key)
        if stored is None or stored.size != artefact.sealed.cipher_size:
            return False
        if artefact.recipients != host.backup.recipients:
            return False
    return True


def _digest(*parts: object) -> str:
    return sha256_hex(json.dumps(parts).encode())
